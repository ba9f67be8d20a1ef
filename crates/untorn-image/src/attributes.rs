//! Extended attributes between the host's names and a volume's, access lists among them.

use untorn_format::attr::Namespace;

/// What the host calls the access list of a file.
pub const ACCESS: &[u8] = b"system.posix_acl_access";
/// What the host calls the access list that a directory hands down.
pub const DEFAULT: &[u8] = b"system.posix_acl_default";

const PREFIXES: [(Namespace, &[u8]); 3] = [
    (Namespace::User, b"user."),
    (Namespace::Trusted, b"trusted."),
    (Namespace::Security, b"security."),
];

/// Namespace and name of what the host calls `full`; `None` for what no volume keeps as such.
pub fn from_host(full: &[u8]) -> Option<(Namespace, &[u8])> {
    let found = PREFIXES.iter().find_map(|(space, prefix)| {
        Some((*space, full.strip_prefix(*prefix).filter(|name| !name.is_empty())?))
    })?;
    // What a volume keeps access lists under is not the host's to name.
    let reserved = found.0 == Namespace::Trusted && found.1.starts_with(b"SGI_ACL_");
    (!reserved).then_some(found)
}

/// What the host calls it; `None` for what it does not see.
pub fn to_host(namespace: Namespace, name: &[u8]) -> Option<Vec<u8>> {
    let (_, prefix) = PREFIXES.iter().find(|(space, _)| *space == namespace)?;
    let full = [prefix, name].concat();
    from_host(&full).is_some().then_some(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_to_the_host_and_back() {
        for full in [&b"user.a"[..], b"trusted.b.c", b"security.capability"] {
            let (namespace, name) = from_host(full).unwrap();
            assert_eq!(to_host(namespace, name).unwrap(), full);
        }
        for full in [&b"user."[..], b"system.posix_acl_access", b"other", b"trusted.SGI_ACL_FILE"] {
            assert!(from_host(full).is_none());
        }
        assert!(to_host(Namespace::Trusted, b"SGI_ACL_FILE").is_none());
        assert!(to_host(Namespace::Parent, b"x").is_none());
    }
}
