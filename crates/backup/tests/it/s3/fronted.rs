//! A bucket behind TLS, and one that is changed while it is read.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use elpis_backup::store::{S3Options, S3Store};
use elpis_backup::{ObjectStore, StoreError};
use elpis_run::{StopToken, with_causes};

use super::front::{Front, How, authority, server_of};
use super::server::Server;
use crate::elsewhere::world;

fn store(options: S3Options) -> S3Store {
    S3Store::new(options, StopToken::new(), Arc::new(())).unwrap()
}

#[test]
fn only_the_authority_that_was_named_is_believed() {
    let (world, name, note) = world(1000);
    let server = Server::start(world.dir.path());
    let dir = world.dir.path();
    authority(dir, "ours");
    authority(dir, "another");
    let front = Front::start(How {
        server: server.port,
        heeds_if_match: false,
        tls: Some(server_of(dir, "ours")),
    });
    let options = |certificates: Option<&str>| S3Options {
        patience: Duration::from_secs(600),
        certificates: certificates.map(|file| dir.join(file)),
        ..server.options()
    };
    let at = |host: &str, certificates| {
        store(options(certificates).at(&format!("https://{host}:{}", front.port)))
    };

    let ours = at("127.0.0.1", Some("ours.pem"));
    ours.publish(&world.store().path(&name), &name, &note)
        .unwrap();
    assert_eq!(ours.list().unwrap(), world.store().list().unwrap());
    let mut read = Vec::new();
    let opened = ours.open(&name).unwrap();
    opened.reader().unwrap().read_to_end(&mut read).unwrap();
    assert!(read == std::fs::read(world.store().path(&name)).unwrap());

    // Another authority, the machine's own, and a name that the certificate does not have.
    for (host, certificates) in [
        ("127.0.0.1", Some("another.pem")),
        ("127.0.0.1", None),
        ("localhost", Some("ours.pem")),
    ] {
        // It must not be asked again until the patience is at its end.
        let begun = Instant::now();
        let error = at(host, certificates).list().unwrap_err();
        assert!(matches!(error, StoreError::Remote { .. }), "{error:?}");
        let text = with_causes(&error);
        assert!(
            text.contains("the certificate of the service is refused"),
            "{text}"
        );
        assert!(text.contains("invalid peer certificate"), "{text}");
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{:?}",
            begun.elapsed()
        );
    }
    // What is no certificate is found before anything is asked.
    let nothing = options(Some("ours.key")).at("https://127.0.0.1:1");
    let error = S3Store::new(nothing, StopToken::new(), Arc::new(())).unwrap_err();
    assert!(
        matches!(&error, StoreError::Settings { what, .. } if what.ends_with("ours.key")),
        "{error:?}"
    );
}

#[test]
fn an_object_that_is_replaced_while_it_is_read_ends_with_an_error() {
    // Two pieces.
    let (world, name, note) = world(9 << 20);
    let server = Server::start(world.dir.path());
    let file = world.store().path(&name);
    // Another archive of the same length, so that nothing but its tag tells it apart.
    let mut other = std::fs::read(&file).unwrap();
    for byte in other.iter_mut() {
        *byte ^= 1;
    }
    let other_file = world.dir.path().join("other");
    std::fs::write(&other_file, &other).unwrap();
    let sum = crate::support::sh("sha256sum", &["other"], world.dir.path());
    let other_note = elpis_backup::store::Note {
        sha256: sum[..64].to_owned(),
        ..note.clone()
    };
    for heeds_if_match in [true, false] {
        server.store().publish(&file, &name, &note).unwrap();
        let front = Front::start(How {
            server: server.port,
            heeds_if_match,
            tls: None,
        });
        let reading = store(
            server
                .options()
                .at(&format!("http://127.0.0.1:{}", front.port)),
        );
        let opened = reading.open(&name).unwrap();
        let mut reader = opened.reader().unwrap();
        let mut read = vec![0; 8 << 20];
        reader.read_exact(&mut read).unwrap();
        server.store().remove(&name).unwrap();
        server
            .store()
            .publish(&other_file, &name, &other_note)
            .unwrap();
        let rest = reader.read_to_end(&mut read);
        match heeds_if_match {
            true => {
                let text = with_causes(&rest.unwrap_err());
                assert!(
                    text.contains("412") || text.contains("Precondition"),
                    "{text}"
                );
            }
            // The service says nothing; the sums of the archive do.
            false => {
                rest.unwrap();
                assert!(read[..8 << 20] == std::fs::read(&file).unwrap()[..8 << 20]);
                assert!(read[8 << 20..] == other[8 << 20..]);
                let mixed = world.dir.path().join(name.to_string());
                std::fs::write(&mixed, &read).unwrap();
                assert!(crate::support::verify(&mixed).is_err());
            }
        }
        server.store().remove(&name).unwrap();
    }
}
