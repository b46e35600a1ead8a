//! Several compiled fetchers at once: one pace, one refresh of the token, little memory.
