//! Anybody's `pandora_server.conf`: it is read or refused.
#![no_main]

use elpis_pandora::ServerConf;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|conf: &[u8]| {
    let read = ServerConf::parse("pandora_server.conf".as_ref(), conf.to_vec());
    let _ = read.disagreements();
    for host in [None, Some("localhost")] {
        if let Ok(database) = read.database(host) {
            assert!(database.port > 0);
        }
    }
});
