//! Anybody's `pandora_ha_hosts.conf`: one host, nothing, or refused.

use elpis_pandora::ha_host;

pub(crate) fn check(file: &[u8]) {
    match ha_host("pandora_ha_hosts.conf".as_ref(), file) {
        Ok(Some(host)) => {
            let first = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let mut words = first.split(u8::is_ascii_whitespace);
            assert!(words.any(|word| !word.is_empty()));
            assert!(!host.is_empty() && !host.contains(char::is_whitespace));
        }
        Ok(None) => {}
        Err(error) => assert!(error.to_string().starts_with("pandora_ha_hosts.conf:1: ")),
    }
}
