use super::*;
use russh::keys::parse_public_key_base64;

// Made by ssh-keygen of OpenSSH 9.2.
const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILVKim3BBZiKTj7zV+Shfmqyn2Z8ynPS9PKuSSsLN7OH";
const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBKifJHaSGh9xFDG6BmeBqRdbv09j2fBmNUjY2aRlzeW6Wto7ZCUugpLA+uoH65YT/PJ0v3hxryrDV/F6E7ZLhwI=";
const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCd10qXjfdDcwpL+L7hMpCXn3zvH0h3SUgnf2TEmUKKHa+rNR7oe+VR2BJ2ER5z4jH/nyUjxfuwlvV7pMmDrsGGAikIbwLKmseNahmvQ44WvmYYxW5F1zH8rZtdsG+Vd6zeBjk2laMf/3PWKvaNzlDqd+/TjaJ+M5XXJkAVq+skFxDrpI1AhIYo/Z3f6rNqLY95HRYsfOZ65I7cTCUoBIJgNJ91lNuSLavtknqHVxpjSNF30ZZphHgkp62dSzgqAqtTJsH9k4TRWUTqkgT6JU//3mb7/OJXuS55mklq2lJr4i9M/EDNicHFfVJ+mLTFFWlmJ0UeuiN5dqAVPS+a73Q5";
const AUTHORITY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFVn1JCIt+co259iPxnX+frSvqxaiaTsW0ppxzNz56c9";
/// `ED25519`, signed by `AUTHORITY` for fw1.example.org.
const CERTIFICATE: &str = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIP8YS/0Fgc/HUKZGnweoebILzqJm5uOc9sWrQj1XXaoDAAAAILVKim3BBZiKTj7zV+Shfmqyn2Z8ynPS9PKuSSsLN7OHAAAAAAAAAAAAAAACAAAABGhvc3QAAAATAAAAD2Z3MS5leGFtcGxlLm9yZwAAAAAAAAAA//////////8AAAAAAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIFVn1JCIt+co259iPxnX+frSvqxaiaTsW0ppxzNz56c9AAAAUwAAAAtzc2gtZWQyNTUxOQAAAEAdzmYFuIDU8hLZpWaAQNd6Qz+Oj6n3Gf45j5Ej406aKGkBExGj9bkUTWbxMwVN3OOd1i9aJOUHgUY4FNJRfjEA";

fn key(openssh: &str) -> PublicKey {
    parse_public_key_base64(openssh.split_whitespace().nth(1).unwrap()).unwrap()
}

fn host(address: &str, port: u16) -> Host {
    Host {
        address: address.to_owned(),
        port,
    }
}

fn file(text: &str) -> (tempfile::TempDir, KnownHosts) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("known_hosts");
    fsx::write_durable(&path, text.as_bytes(), 0o600).unwrap();
    (dir, KnownHosts::at(path))
}

fn check(text: &str, host: &Host, shown: &str) -> Result<(), HostKeyError> {
    let (_dir, known) = file(text);
    let shown = PublicKeyOrCertificate::PublicKey {
        key: key(shown),
        hash_alg: None,
    };
    known.check(host, &shown).unwrap()
}

fn check_certificate(text: &str, address: &str) -> Result<(), HostKeyError> {
    let (_dir, known) = file(text);
    let certificate = Certificate::from_openssh(CERTIFICATE).unwrap();
    known
        .check(
            &host(address, 22),
            &PublicKeyOrCertificate::Certificate(certificate),
        )
        .unwrap()
}

#[test]
fn a_host_is_known_by_name_pattern_port_hash_or_tabs() {
    let fw1 = host("fw1.example.org", 22);
    for line in [
        format!("fw1.example.org {ED25519}"),
        format!("FW1.example.org,10.0.0.1 {ED25519} a comment"),
        format!("*.example.org\t{}", ED25519.replace(' ', "\t")),
        format!("  fw1.example.org   {ED25519}"),
        format!("# {ECDSA}\n\nfw1.example.org {ECDSA}\nfw1.example.org {ED25519}"),
        format!("[fw1.example.org]:2222 {ECDSA}\nfw1.example.org {ED25519}"),
    ] {
        assert_eq!(check(&line, &fw1, ED25519), Ok(()), "{line}");
    }
    let line = format!("[fw1.example.org]:2222 {ED25519}");
    assert_eq!(
        check(&line, &host("fw1.example.org", 2222), ED25519),
        Ok(())
    );
    assert!(matches!(
        check(&line, &fw1, ED25519),
        Err(HostKeyError::Unknown { .. })
    ));
}

#[test]
fn a_negated_host_and_a_missing_file_are_unknown() {
    let fw1 = host("fw1.example.org", 22);
    let line = format!("*.example.org,!fw1.example.org {ED25519}");
    assert!(matches!(
        check(&line, &fw1, ED25519),
        Err(HostKeyError::Unknown { .. })
    ));
    let shown = PublicKeyOrCertificate::from(key(ED25519));
    let nowhere = KnownHosts::at("/nonexistent/known_hosts");
    assert!(matches!(
        nowhere.check(&fw1, &shown),
        Ok(Err(HostKeyError::Unknown { .. }))
    ));
}

#[test]
fn another_key_or_another_type_for_a_known_host_is_a_change() {
    let fw1 = host("fw1", 22);
    for (recorded, offered) in [
        (ED25519, AUTHORITY),
        (ECDSA, ED25519),
        (RSA, ED25519),
        (ED25519, RSA),
    ] {
        match check(&format!("# first\nfw1 {recorded}"), &fw1, offered) {
            Err(HostKeyError::Changed {
                line: 2,
                recorded: was,
                offered: is,
                ..
            }) => {
                assert_eq!(
                    (was, is),
                    (HostKey::from(key(recorded)), HostKey::from(key(offered)))
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_revoked_key_is_refused_even_if_it_is_also_listed() {
    let fw1 = host("fw1", 22);
    let text = format!("fw1 {ED25519}\n@revoked\t*\t{ED25519}\n");
    assert!(matches!(
        check(&text, &fw1, ED25519),
        Err(HostKeyError::Revoked { line: 2, .. })
    ));
    let elsewhere = format!("fw1 {ED25519}\n@revoked fw2 {ED25519}\n");
    assert_eq!(check(&elsewhere, &fw1, ED25519), Ok(()));
}

#[test]
fn an_unreadable_marked_line_stops_everything() {
    let fw1 = host("fw1", 22);
    for bad in [
        "@revoked * ssh-ed25519 garbage",
        "@revoked",
        "@surprise * ssh-ed25519 AAAA",
    ] {
        let text = format!("fw1 {ED25519}\n{bad}\n");
        assert!(
            matches!(
                check(&text, &fw1, ED25519),
                Err(HostKeyError::Line { line: 2, .. })
            ),
            "{bad}"
        );
    }
    let harmless = format!("fw1 ssh-ed25519 garbage\nfw1 {ED25519}\n");
    assert_eq!(check(&harmless, &fw1, ED25519), Ok(()));
}

#[test]
fn an_authority_vouches_only_for_its_hosts_by_name() {
    let authority = format!("@cert-authority *.example.org {AUTHORITY}");
    assert_eq!(check_certificate(&authority, "fw1.example.org"), Ok(()));
    assert!(matches!(
        check_certificate(&authority, "fw2.example.org"),
        Err(HostKeyError::Certificate { .. })
    ));
    let other = format!("@cert-authority *.example.org {ECDSA}");
    assert!(matches!(
        check_certificate(&other, "fw1.example.org"),
        Err(HostKeyError::Certificate { .. })
    ));
    for revoked in [ED25519, AUTHORITY] {
        let text = format!("{authority}\n@revoked * {revoked}\n");
        assert!(matches!(
            check_certificate(&text, "fw1.example.org"),
            Err(HostKeyError::Revoked { line: 2, .. })
        ));
    }
    // Without an authority on file the certified key counts as a plain one.
    assert_eq!(
        check_certificate(&format!("fw1.example.org {ED25519}"), "fw1.example.org"),
        Ok(())
    );
    // An authority's key is nobody's host key.
    assert!(matches!(
        check(&authority, &host("fw1.example.org", 22), AUTHORITY),
        Err(HostKeyError::Unknown { .. })
    ));
}

#[test]
fn a_key_once_trusted_is_known_and_others_stay() {
    let (dir, known) = file(&format!("fw9 {ECDSA}"));
    let fw1 = host("fw1", 2222);
    known.trust(&fw1, &HostKey::from(key(ED25519))).unwrap();
    let text = fsx::read_to_string(&dir.path().join("known_hosts")).unwrap();
    assert_eq!(text, format!("fw9 {ECDSA}\n[fw1]:2222 {ED25519}\n"));
    assert_eq!(check(&text, &fw1, ED25519), Ok(()));
    assert_eq!(check(&text, &host("fw9", 22), ECDSA), Ok(()));
    let fresh = KnownHosts::at(dir.path().join("new"));
    fresh.trust(&fw1, &HostKey::from(key(RSA))).unwrap();
    assert_eq!(fresh.recorded(&fw1).unwrap().0, [key(RSA).algorithm()]);
}

#[test]
fn the_fingerprint_is_the_one_that_ssh_keygen_prints() {
    assert_eq!(
        HostKey::from(key(ED25519)).to_string(),
        "ssh-ed25519 SHA256:FbUz3w8iP2Us1O+rEk9pKmO/8wsnnf7OIDDUM/w1RLk"
    );
}
