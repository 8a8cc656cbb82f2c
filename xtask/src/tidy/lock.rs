//! One TLS: ring needs only a C compiler, the other backend a whole tool chain.

use super::Finding;
use crate::tree::Tree;

/// No package of the forbidden backend may be in the lock file, by whatever way it came.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(lock) = tree.file("Cargo.lock") else {
        return vec![Finding::new("Cargo.lock", 1, "there is no lock file", HINT)];
    };
    let named = |line: &str| line.starts_with("name = \"aws-lc");
    let found = lock.lines().filter(|(_, line)| named(line));
    found
        .map(|(at, line)| Finding::new(&lock.path, at, format!("the lock file has {line}"), HINT))
        .collect()
}

const HINT: &str = "find who asks with `cargo tree -i aws-lc-sys` and turn that feature off; TLS here is rustls with ring";

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::check;

    #[test]
    fn the_forbidden_backend_is_found() {
        let lock = "[[package]]\nname = \"aws-lc-sys\"\n\n[[package]]\nname = \"ring\"\n";
        assert_eq!(places(check, &[("Cargo.lock", lock)]), ["Cargo.lock:2"]);
    }

    #[test]
    fn ring_is_welcome() {
        let lock = "[[package]]\nname = \"ring\"\n";
        assert!(places(check, &[("Cargo.lock", lock)]).is_empty());
    }

    #[test]
    fn a_missing_lock_file_is_found() {
        assert_eq!(places(check, &[]), ["Cargo.lock:1"]);
    }
}
