// What the tests ask of the page itself; loaded before the page's own content. (The page has no script to disturb.)

// Dialogs go to the console, where a test finds all that a page must not do.
window.alert = window.confirm = window.prompt = text => console.error(`dialog: ${text}`);

// Adds a script, a style and an image, as injected content would.
window.addForeignContent = () => {
    const add = (tag, properties) => document.body.append(Object.assign(document.createElement(tag), properties));
    add('script', { textContent: 'window.ran = true' });
    add('style', { textContent: 'body { margin: 99px }' });
    add('img', { src: '/healthz' });
};

// Returns the short words that the layout breaks over two lines: a column that splits these cannot be read.
window.splitWords = () => {
    const SHORT = 14;
    const split = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) for (const word of walker.currentNode.data.matchAll(/[^\s-]+/g)) {
        if (word[0].length > SHORT) continue;
        const range = document.createRange();
        range.setStart(walker.currentNode, word.index);
        range.setEnd(walker.currentNode, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map(line => Math.round(line.top))).size > 1) split.push(word[0]);
    }
    return split;
};

// Returns the focused element: its tag, its form's action, the width of its outline in pixels, and the outline's contrast
// with the background (WCAG 2, relative luminance).
window.focusedElement = () => {
    const channels = text => text.match(/[\d.]+/g).slice(0, 3).map(Number);
    const luminance = text => channels(text).map(c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
    const focused = document.activeElement, style = getComputedStyle(focused);
    let behind = focused.parentElement;
    while (behind && /^rgba\(.*, 0\)$/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
    const background = behind ? getComputedStyle(behind).backgroundColor : 'rgb(255, 255, 255)';
    const two = [style.outlineColor, background].map(luminance);
    return {
        tag: focused.tagName, action: focused.form ? focused.form.getAttribute('action') : null,
        width: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
        contrast: (Math.max(...two) + .05) / (Math.min(...two) + .05),
    };
};
