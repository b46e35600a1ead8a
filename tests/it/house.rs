//! House rules: dependencies between crates and files, and the place of SQL, entities, French and documents.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use model::entity;
use serde_json::Value;

/// Functions, none of which may depend on another.
const FUNCTIONS: [&str; 5] = ["fetcher", "stager", "reconciler", "health", "alerter"];
/// Folders with Rust sources.
const SOURCES: [&str; 4] = ["admin", "functions", "shared", "tests"];
/// Lines of a source file at most: more is more than one thing.
const FILE_LINES_MAX: usize = 450;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns the names of all packages in the dependency tree of a package.
fn dependency_tree(package: &str) -> BTreeSet<String> {
    let listing = cargo(&["tree", "-p", package, "-e", "normal", "--prefix", "none", "-f", "{p}"]);
    listing.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

/// Returns every file of the project with this extension, tracked or new, by its path from the root.
fn files(extension: &str) -> Vec<(PathBuf, String)> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    let listing = String::from_utf8_lossy(&output.stdout).into_owned();
    let found: Vec<_> = listing
        .lines()
        .map(PathBuf::from)
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .filter_map(|path| Some((path.clone(), fs::read_to_string(root().join(&path)).ok()?)))
        .collect();
    assert!(!found.is_empty(), "no *.{extension}");
    found
}

/// Returns path and text of the Rust sources below a folder of the workspace.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let found: Vec<_> = files("rs").into_iter().filter(|(path, _)| path.starts_with(folder)).collect();
    assert!(!found.is_empty(), "{folder} holds no source");
    found
}

/// Returns the code of a source without its unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

/// Returns the workspace dependencies of each crate, from cargo.
fn actual_arrows() -> BTreeMap<String, BTreeSet<String>> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |package: &Value| package["name"].as_str().unwrap_or_default().to_owned();
    let members: BTreeSet<String> = packages.iter().map(name).collect();
    let arrows = |package: &Value| {
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        dependencies
            .filter(|dependency| dependency["kind"].is_null())
            .map(name)
            .filter(|dependency| members.contains(dependency))
            .collect()
    };
    packages.iter().map(|package| (name(package), arrows(package))).collect()
}

/// Returns the dependencies of each crate as the code map of ARCHITECTURE.md states them.
fn documented_arrows() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let map =
        text.split("## Code map").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a code map");
    map.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let path = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
            let name = path.rsplit('/').next()?.to_owned();
            let uses =
                cells.get(2)?.split(',').map(str::trim).filter(|word| !word.is_empty() && *word != "–");
            Some((name, uses.map(str::to_owned).collect()))
        })
        .collect()
}

#[test]
fn crate_dependencies_follow_the_architecture() {
    let (actual, documented) = (actual_arrows(), documented_arrows());
    for (name, arrows) in &actual {
        if name != "pipeline-tests" {
            assert_eq!(documented.get(name), Some(arrows), "{name}: documented, then actual");
        }
    }
    assert_eq!(documented.len(), actual.len() - 1, "every documented crate exists: {documented:?}");
    for function in FUNCTIONS {
        let tree = dependency_tree(function);
        for other in FUNCTIONS.into_iter().filter(|other| *other != function) {
            assert!(!tree.contains(other), "{function} must not depend on {other}");
        }
        assert!(!dependency_tree("admin").contains(function), "admin must not depend on {function}");
    }
}

#[test]
fn crates_stay_free_of_forbidden_libraries() {
    let network = ["tokio", "reqwest", "sqlx", "aws-config", "aws-sdk-s3", "hyper", "lambda_runtime"];
    let aws =
        ["aws-config", "aws-sdk-s3", "aws-sdk-secretsmanager", "aws-sdk-sqs", "reqwest", "lambda_runtime"];
    for (package, forbidden) in [
        ("fetcher", &["sqlx", "sqlx-core", "sqlx-postgres", "db"] as &[&str]),
        ("model", &network),
        ("protocol", &network),
        ("i18n", &network),
        ("lambda", &["sqlx", "db", "reqwest"]),
        ("gazelle-client", &["sqlx", "db", "lambda_runtime"]),
        ("object-store", &["sqlx", "db", "reqwest", "lambda_runtime"]),
        ("db", &aws),
        ("stager", &["reqwest"]),
        ("reconciler", &["reqwest", "aws-sdk-s3"]),
        ("health", &["reqwest", "aws-sdk-s3"]),
        ("admin", &["lambda_runtime"]),
    ] {
        let tree = dependency_tree(package);
        assert!(tree.contains(package), "{package} in its own tree");
        for name in forbidden {
            assert!(!tree.contains(*name), "{package} must not depend on {name}");
        }
    }
}

/// Returns the module path of a file, relative to its crate: `production::promote`; empty for the crate root.
fn module_of(path: &Path) -> Option<(String, Vec<String>)> {
    let text = path.to_str()?;
    let (krate, inner) = text.split_once("/src/")?;
    let mut parts: Vec<String> = inner.strip_suffix(".rs")?.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        parts.pop();
    }
    Some((krate.to_owned(), parts))
}

/// Returns the paths that a file refers to by `crate::` or `super::`, as module paths from the crate's root.
fn references(module: &[String], text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for line in without_tests(text).lines().filter(|line| !line.trim_start().starts_with("//")) {
        for (marker, base) in
            [("crate::", &[] as &[String]), ("super::", &module[..module.len().saturating_sub(1)])]
        {
            for (at, _) in line.match_indices(marker) {
                let is_word = line[..at]
                    .chars()
                    .next_back()
                    .is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':');
                if is_word {
                    continue;
                }
                let rest = &line[at + marker.len()..];
                let end =
                    rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
                let tail = rest[..end].split("::").filter(|part| !part.is_empty()).map(str::to_owned);
                let path: Vec<String> = base.iter().cloned().chain(tail).collect();
                // `use crate::{a, b};` names its modules in braces.
                if let Some(group) = rest[end..].strip_prefix('{') {
                    let names = group.split(['}', ';']).next().unwrap_or_default().split(',');
                    found.extend(names.map(|name| {
                        let name = name.trim().split("::").next().unwrap_or_default().to_owned();
                        path.iter().cloned().chain([name]).collect::<Vec<_>>()
                    }));
                } else {
                    found.push(path);
                }
            }
        }
    }
    found
}

#[test]
fn no_two_files_import_each_other() {
    let mut modules: BTreeMap<(String, Vec<String>), (PathBuf, String)> = BTreeMap::new();
    for (path, text) in SOURCES.into_iter().flat_map(sources) {
        if let Some(module) = module_of(&path)
            && !path.ends_with("tests.rs")
        {
            modules.insert(module, (path, text));
        }
    }
    let mut edges: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> = BTreeMap::new();
    for ((krate, module), (path, text)) in &modules {
        for target in references(module, text) {
            // The longest prefix that is a file; the rest names an item in it.
            let file = (0..=target.len()).rev().find_map(|length| {
                modules.get(&(krate.clone(), target[..length].to_vec())).map(|(path, _)| path)
            });
            if let Some(file) = file.filter(|file| *file != path) {
                edges.entry(path).or_default().insert(file);
            }
        }
    }
    assert!(edges.len() > 50, "{} files with edges", edges.len());
    let mut cycles = Vec::new();
    for (from, targets) in &edges {
        for to in targets {
            // A path back over any number of files.
            let (mut seen, mut open) = (BTreeSet::new(), vec![*to]);
            while let Some(next) = open.pop() {
                if seen.insert(next) {
                    open.extend(edges.get(next).into_iter().flatten());
                }
            }
            if seen.contains(*from) {
                cycles.push(format!("{} → {}", from.display(), to.display()));
            }
        }
    }
    assert!(cycles.is_empty(), "import cycles:\n{}", cycles.join("\n"));
}

#[test]
fn sql_stands_in_the_db_crate_alone() {
    for (path, text) in ["admin", "functions", "shared"].into_iter().flat_map(sources) {
        if path.starts_with("shared/db") {
            continue;
        }
        let code = without_tests(&text);
        for word in [
            "sqlx::query", "sqlx::raw_sql", "use sqlx", "insert into ", "update set", "select * ",
            "delete from ",
        ] {
            assert!(!code.contains(word), "{}: `{word}`", path.display());
        }
    }
}

#[test]
fn no_engine_names_an_entity() {
    for (path, text) in
        ["functions", "shared/db", "shared/lambda", "shared/gazelle-client", "shared/object-store"]
            .into_iter()
            .flat_map(sources)
    {
        if path.ends_with("bin/fetch.rs") || path.ends_with("tests.rs") {
            continue;
        }
        for line in without_tests(&text).lines().filter(|line| !line.trim_start().starts_with("//")) {
            for entity in entity::ALL {
                assert!(!line.contains(&format!("\"{}\"", entity.name)), "{}: {line}", path.display());
                assert!(!line.contains(&format!("{} ", entity.staging_table)), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn french_stands_in_i18n_alone() {
    for (path, text) in ["admin", "functions", "shared"].into_iter().flat_map(sources) {
        // The registry holds labels and vocabularies as data.
        if path.starts_with("shared/i18n") || path.starts_with("shared/model") || path.ends_with("tests.rs") {
            continue;
        }
        for line in without_tests(&text).lines().filter(|line| !line.trim_start().starts_with("//")) {
            let is_french = line.contains(['é', 'è', 'ê', 'à', 'ç', 'ô', 'û', 'É', 'À']);
            assert!(!is_french || line.contains("Montréal"), "{}: {line}", path.display());
        }
    }
}

#[test]
fn source_files_are_short_and_documented() {
    for (path, text) in SOURCES.into_iter().flat_map(sources) {
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{}: {lines} lines", path.display());
        assert!(text.starts_with("//!"), "{} opens without a sentence on its purpose", path.display());
    }
}

#[test]
fn test_names_are_short() {
    for (path, text) in SOURCES.into_iter().flat_map(sources) {
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            let is_attribute = line.starts_with("#[");
            is_test |= line.starts_with("#[test]")
                || line.starts_with("#[tokio::test")
                || line.starts_with("#[sqlx::test");
            if let Some(name) = line
                .split("fn ")
                .nth(1)
                .and_then(|rest| rest.split('(').next())
                .filter(|_| is_test && !is_attribute)
            {
                assert!(name.len() <= 60, "{}: {name} has {} characters", path.display(), name.len());
                is_test = false;
            }
        }
    }
}

#[test]
fn every_rule_is_unique_and_documented() {
    let document = fs::read_to_string(root().join("docs/transformations.md")).expect("a document");
    let mut seen = BTreeSet::new();
    for entity in entity::ALL {
        for rule in entity.rules {
            assert!(seen.insert((entity.name, rule.name)), "{}: {} twice", entity.name, rule.name);
            assert!(document.contains(rule.name), "docs/transformations.md does not name: {}", rule.name);
        }
    }
}

/// Returns the anchor that a heading gets: lower case, spaces as hyphens, punctuation dropped.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn document_links_resolve() {
    let documents = files("md");
    let mut checked = 0;
    for (path, text) in &documents {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                root().join(path)
            } else {
                root().join(path).parent().expect("a folder").join(file)
            };
            assert!(target.exists(), "{}: {link} does not exist", path.display());
            if !fragment.is_empty() {
                let target = fs::read_to_string(&target).expect("a document");
                let headings = target.lines().filter_map(|line| line.strip_prefix('#'));
                let is_there = headings
                    .map(|line| anchor(line.trim_start_matches('#').trim()))
                    .any(|found| found == fragment);
                assert!(is_there, "{}: {link} has no such heading", path.display());
            }
            checked += 1;
        }
    }
    assert!(checked >= 20, "{checked} links");
}

#[test]
fn documents_name_existing_tests() {
    let tests: BTreeMap<String, String> = sources("tests/it")
        .into_iter()
        .filter_map(|(path, text)| Some((path.file_stem()?.to_str()?.to_owned(), text)))
        .collect();
    let mut checked = 0;
    for (path, text) in files("md") {
        for name in text.split('`').skip(1).step_by(2) {
            let Some((module, test)) =
                name.split_once("::").filter(|(module, _)| tests.contains_key(*module))
            else {
                continue;
            };
            let is_there = tests.get(module).is_some_and(|text| text.contains(&format!("fn {test}(")));
            assert!(is_there, "{}: `{name}` does not exist", path.display());
            checked += 1;
        }
    }
    assert!(checked >= 60, "{checked} tests named");
}

#[test]
fn grafana_dashboard_uses_existing_metrics() {
    let text = fs::read_to_string(root().join("infra/grafana/dashboard.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let metrics = fs::read_to_string(root().join("functions/health/src/metrics.rs")).expect("the metrics");
    let mut shown = 0;
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("targets") {
            let expression = target["expr"].as_str().expect("an expression");
            let names = expression
                .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
                .filter(|word| word.starts_with("gazelle_"));
            for name in names {
                assert!(metrics.contains(&format!("\"{name}\"")), "{name} is not a metric of the health API");
                shown += 1;
            }
        }
    }
    assert!(shown >= 9, "{shown}");
}
