use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

fn conf(bytes: &[u8]) -> ServerConf {
    ServerConf::parse(Path::new("/etc/p.conf"), bytes.to_vec())
}

fn text(conf: &ServerConf, token: &str) -> Option<String> {
    conf.text(token).unwrap().map(str::to_owned)
}

const USUAL: &str = "# Pandora FMS\n\nservername  pandora \ndbname pandora\ndbuser pandora\n\
                     dbpass p4ss w#rd \ndbhost 127.0.0.1\nlog_file /var/log/p.log\n#dbport 3307\n";

#[test]
fn an_ordinary_file_gives_the_database() {
    let conf = conf(USUAL.as_bytes());
    let database = conf.database(None).unwrap();
    assert_eq!(database.host, "127.0.0.1");
    assert_eq!((database.port, database.socket), (3306, None));
    assert_eq!(
        (database.name.as_str(), database.user.as_str()),
        ("pandora", "pandora")
    );
    assert_eq!(database.password.unwrap().expose(), "p4ss w#rd");
    assert_eq!(database.tls, None);
    assert_eq!(conf.database(Some("db2")).unwrap().host, "db2");
    let at = conf.database(Some("/run/m.sock")).unwrap();
    assert_eq!(at.socket.as_deref(), Some(Path::new("/run/m.sock")));
}

#[test]
fn encryption_is_read() {
    let text = format!("{USUAL}dbssl 1\ndbsslcafile /ca.pem\nverify_mysql_ssl_cert 1\n");
    let tls = conf(text.as_bytes()).database(None).unwrap().tls.unwrap();
    assert_eq!(
        tls,
        Tls {
            ca: Some("/ca.pem".into()),
            verify: true
        }
    );
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_without_its_value() {
    let without = USUAL.replace("dbname pandora\n", "");
    let error = conf(without.as_bytes()).database(None).unwrap_err();
    assert_eq!(error.to_string().split(": ").next(), Some("/etc/p.conf"));
    assert!(error.to_string().contains("dbname"), "{error}");
    let port = format!("{USUAL}dbport 70000\n");
    let error = conf(port.as_bytes()).database(None).unwrap_err();
    assert!(
        error.to_string().starts_with("/etc/p.conf:10: dbport"),
        "{error}"
    );
    let latin = [USUAL.as_bytes(), b"dbpass se\xf1or\n"].concat();
    let error = conf(&latin).database(None).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/etc/p.conf:10: the value of dbpass"),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("se"), "{error:?}");
    assert!(!format!("{:?}", conf(USUAL.as_bytes())).contains("p4ss"));
    // Elsewhere other encodings do not matter.
    let latin = [b"description se\xf1or\n".as_slice(), USUAL.as_bytes()].concat();
    assert!(conf(&latin).database(None).is_ok());
}

#[test]
fn where_the_products_readers_differ_is_said_and_either_is_taken() {
    for (line, value, kind) in [
        ("dbpass ^abc\n", "^abc", "OnlyTool"),
        ("dbpass +abc\n", "+abc", "OnlyTool"),
        ("dbpass {abc\n", "{abc", "OnlyTool"),
        ("dbpass ;abc\n", ";abc", "OnlyTool"),
        ("dbpass  abc\n", "abc", "OnlyTool"),
        ("dbpass \u{e4}bc\n", "\u{e4}bc", "OnlyTool"),
        ("dbpass abc", "abc", "OnlyServer"),
        ("DBPASS abc\n", "abc", "OnlyServer"),
        ("dbpass one\nDbPass two\n", "one", "Differ"),
    ] {
        let conf = conf(line.as_bytes());
        assert_eq!(text(&conf, "dbpass").as_deref(), Some(value), "{line:?}");
        let said = conf.disagreements();
        assert_eq!(said.len(), 1, "{line:?}: {said:?}");
        assert!(format!("{said:?}").contains(kind), "{line:?}: {said:?}");
        assert!(
            said[0].to_string().starts_with("/etc/p.conf:1: "),
            "{}",
            said[0]
        );
    }
    assert_eq!(
        conf(USUAL.as_bytes()).disagreements().len(),
        1,
        "two blanks before servername's"
    );
}

/// What the product's own expressions make of each line; `tool` and `server` as in
/// `/work/shared/facts/services.md`, run by Perl itself.
fn perl(bytes: &[u8]) -> Vec<(char, String, String)> {
    const SCRIPT: &str = r#"
        use strict; binmode STDIN; binmode STDOUT;
        sub say_it { my ($who, $key, $value) = @_;
            $value =~ s/^\s+//; $value =~ s/\s+$//;
            print $who, " ", unpack("H*", $key), " ", unpack("H*", $value), "\n"; }
        while (my $line = <STDIN>) {
            say_it("t", $1, $2) if $line =~ m/^(\S+)\s+(.*)\s+$/;
            if ($line =~ m/^[a-zA-Z]/
                && $line =~ m/[\w\-\.]\s[\w\-\.\/\?\&\=\)\(\!\*\@\#\%\$\~\"\']/
                && $line =~ m/^(\S+)\s(.*)/) { say_it("s", $1, $2); }
        }"#;
    let mut child = Command::new("perl")
        .args(["-e", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("perl, which is what reads these files in the product");
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let entry = |line: &str| {
        let mut parts = line.split(' ').map(str::to_owned);
        let who = parts.next().unwrap().chars().next().unwrap();
        (who, parts.next().unwrap(), parts.next().unwrap())
    };
    lines.lines().map(entry).collect()
}

fn ours(bytes: &[u8]) -> Vec<(char, String, String)> {
    let hex = |range: &Range<usize>| {
        let bytes = &bytes[range.clone()];
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let conf = conf(bytes);
    let seen = |line: &Line| {
        let tool = line.tool.clone().map(|entry| ('t', entry));
        let server = line.server.clone().map(|entry| ('s', entry));
        let both = tool.into_iter().chain(server);
        let both = both.map(|(who, entry)| (who, hex(&entry.key), hex(&entry.value)));
        both.collect::<Vec<_>>()
    };
    conf.lines.iter().flat_map(seen).collect()
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof!["db(pass|host|PASS)", "[#a-zA-Z0-9_.-]{0,5}"];
    let value = prop_oneof![
        3 => "[ -~]{0,12}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    let end = prop_oneof![6 => Just("\n"), 2 => Just(" \r\n"), 1 => Just(""), 1 => Just("\t\n")];
    (token, "[ \t]{0,3}", value, end).prop_map(|(token, gap, value, end)| {
        [token.as_bytes(), gap.as_bytes(), &value, end.as_bytes()].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_dialect_is_what_perl_makes_of_it(lines in prop::collection::vec(line(), 0..30)) {
        let bytes = lines.concat();
        prop_assert_eq!(ours(&bytes), perl(&bytes), "{:?}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_bytes_are_kept_as_they_are(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let conf = conf(&bytes);
        conf.disagreements();
        prop_assert_eq!(conf.into_bytes().expose().clone(), bytes);
    }

    #[test]
    fn an_edit_changes_its_line_and_nothing_else(
        lines in prop::collection::vec(line(), 0..10),
        value in "[!-~]([ -~]{0,10}[!-~])?",
    ) {
        let bytes = lines.concat();
        let mut edited = conf(&bytes);
        let lines_of = |conf: &ServerConf| -> Vec<Vec<u8>> {
            let bytes = conf.bytes.expose();
            conf.lines.iter().map(|line| bytes[line.whole.clone()].to_vec()).collect()
        };
        let before = lines_of(&edited);
        match edited.set("dbhost", &value) {
            Err(_) => {
                let begins = value.as_bytes()[0];
                prop_assert!(!begins.is_ascii_alphanumeric(), "{value:?} was refused");
                prop_assert_eq!(edited.bytes.expose(), &bytes);
            }
            Ok(()) => {
                prop_assert_eq!(text(&edited, "dbhost"), Some(value));
                prop_assert_eq!(edited.disagreement("dbhost".to_owned()), None);
                let after = lines_of(&edited);
                let is_host = |line: &Vec<u8>| {
                    line.get(..6).is_some_and(|key| key.eq_ignore_ascii_case(b"dbhost"))
                };
                let others = |lines: Vec<Vec<u8>>| -> Vec<Vec<u8>> {
                    lines.into_iter().filter(|line| !is_host(line)).collect()
                };
                prop_assert_eq!(others(before), others(after));
            }
        }
    }
}
