//! Anybody's `pandora_server.conf`: it is read or refused.

use elpis_pandora::ServerConf;

pub(crate) fn check(conf: &[u8]) {
    let read = ServerConf::parse("pandora_server.conf".as_ref(), conf.to_vec());
    let _ = read.disagreements();
    for host in [None, Some("localhost")] {
        if let Ok(database) = read.database(host) {
            assert!(database.port > 0);
        }
    }
}
