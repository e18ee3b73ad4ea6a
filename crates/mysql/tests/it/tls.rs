use std::path::Path;
use std::process::Command;

use elpis_mysql::{ConnectOptions, Error, PrivateServer, Session, SessionSettings, Tls};

use crate::{open, server, text};

fn openssl(dir: &Path, args: &str) {
    let output = Command::new("openssl")
        .args(args.split(' '))
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{args}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// `NAME.pem` and `NAME.key`, an authority.
fn authority(dir: &Path, name: &str) {
    openssl(
        dir,
        &format!(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {name}.key \
             -out {name}.pem"
        ),
    );
}

/// `server.pem` and `server.key` for `subject_alt_name`, signed by `ca`.
fn server_certificate(dir: &Path, subject_alt_name: &str) {
    openssl(
        dir,
        "req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr",
    );
    std::fs::write(
        dir.join("ext"),
        format!("subjectAltName={subject_alt_name}\n"),
    )
    .unwrap();
    openssl(
        dir,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
         -extfile ext -out server.pem",
    );
}

fn start(dir: &Path) -> PrivateServer {
    let file = |name: &str| dir.join(name).display().to_string();
    PrivateServer::builder()
        .arg(format!("--ssl-ca={}", file("ca.pem")))
        .arg(format!("--ssl-cert={}", file("server.pem")))
        .arg(format!("--ssl-key={}", file("server.key")))
        .start()
        .unwrap()
}

async fn cipher(options: &ConnectOptions) -> String {
    let mut session = open(options, &SessionSettings::default()).await;
    let sql = "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS \
               WHERE VARIABLE_NAME = 'Ssl_cipher'";
    text(&mut session, sql).await
}

async fn refused(options: &ConnectOptions) {
    let error = Session::open(options, &SessionSettings::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
}

fn with(server: &PrivateServer, ca: Option<&Path>, verify_host: bool) -> ConnectOptions {
    ConnectOptions {
        tls: Tls::Required {
            ca: ca.map(Path::to_owned),
            verify_host,
        },
        ..server.tcp_options()
    }
}

#[tokio::test]
async fn encrypted_and_checked_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    authority(dir, "ca");
    authority(dir, "other");
    let (ca, other) = (dir.join("ca.pem"), dir.join("other.pem"));
    server_certificate(dir, "IP:127.0.0.1");
    let right = start(dir);
    assert!(
        cipher(&with(&right, Some(&ca), true))
            .await
            .starts_with("TLS_")
    );
    assert!(cipher(&with(&right, None, false)).await.starts_with("TLS_"));
    refused(&with(&right, Some(&other), true)).await;
    refused(&with(&right, Some(&other), false)).await;
    refused(&with(&right, None, true)).await;
    assert_eq!(cipher(&right.tcp_options()).await, "");

    server_certificate(dir, "DNS:db.example");
    let elsewhere = start(dir);
    refused(&with(&elsewhere, Some(&ca), true)).await;
    assert!(
        cipher(&with(&elsewhere, Some(&ca), false))
            .await
            .starts_with("TLS_")
    );
    refused(&with(&elsewhere, Some(&other), false)).await;
}

#[tokio::test]
async fn a_server_without_tls_is_refused() {
    refused(&with(server(), None, false)).await;
}
