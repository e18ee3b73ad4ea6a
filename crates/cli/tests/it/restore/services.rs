//! What stops and starts around an exchange.

use super::{Archived, Case, Live};

/// The services stand still around the exchange and nowhere else, the flag says so, and people
/// are told before and after.
#[test]
fn services_stop_before_the_exchange_and_start_after_it() {
    let case = Case::new();
    let log = case.site.path("log");
    let socket = case.server.socket().display().to_string();
    let look = |word: &str| {
        format!(
            "['sh', '-c', 'echo {word} $(mariadb --no-defaults -uroot -S {socket} -N -e \
             \"SELECT COUNT(*) FROM pandora.tagente_datos\") $(cat {dir}/pandora_console/index.php) \
             $(cat {dir}/flag) >> {log}']",
            dir = case.site.dir.path().display(),
            log = log.display()
        )
    };
    let configure_with = |stop: &str, start: &str| {
        let text = format!(
            "[target]\ndirectory = 'dest'\n[state]\ndirectory = 'state'\n\
             [pandora]\ninstallation = 'pandora_console'\noption_file = 'backup.cnf'\n\
             [restore]\nstop = [{stop}]\nstart = [{}]\nmaintenance_flag = 'flag'\n\
             notify = ['sh', '-c', 'echo told $0 >> {}']\n",
            start,
            log.display()
        );
        case.site.write("backup.toml", &text);
    };
    let configure = |stop: &str| configure_with(stop, &look("start"));
    configure(&look("stop"));
    let said = case.site.run(&["restore", "--newest", "-f"]);
    assert_eq!(said.code, 0, "{said:?}");
    let lines = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    let why = format!("restoring {}", case.name());
    assert_eq!(
        lines,
        [
            &*format!("told the services stop now: {why}"),
            &*format!("stop 30000 <?php changed {why}"),
            &*format!("start 60000 <?php {why}"),
            &*format!("told the services run again: {why}"),
        ]
    );
    assert!(!case.site.path("flag").exists());
    assert_eq!(case.site.run(&["undo"]).code, 0);
    case.expect(Live, Live);

    // A service that does not stop: nothing is exchanged.
    std::fs::remove_file(&log).unwrap();
    configure("['false']");
    let said = case.site.run(&["restore", "--newest", "-f"]);
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.err.contains("false failed"), "{said:?}");
    case.expect(Live, Live);
    assert!(!case.site.path("flag").exists());
    configure(&look("stop"));
    let said = case.site.run(&["resume"]);
    assert_eq!(said.code, 0, "{said:?}");
    case.expect(Archived, Archived);
    assert_eq!(case.site.run(&["undo"]).code, 0);

    // One that does not start: the others do, and the watchdog leaves them alone until all run.
    std::fs::remove_file(&log).unwrap();
    configure_with(&look("stop"), &format!("['false'], {}", look("start")));
    let said = case.site.run(&["restore", "--newest", "-f"]);
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.err.contains("false failed"), "{said:?}");
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(lines.contains("\nstart 60000 <?php "), "{lines}");
    assert!(case.site.path("flag").exists());
    // Neither done nor taken back: another one is refused, and that is foretold.
    for more in [&[][..], &["--dry-run"]] {
        let said = case
            .site
            .run(&[&["restore", "--newest", "-f"], more].concat());
        assert_eq!(said.code, 3, "{said:?}");
        assert!(said.err.contains("`elpis-backup resume`"), "{said:?}");
    }
    configure(&look("stop"));
    let said = case.site.run(&["resume"]);
    assert_eq!(said.code, 0, "{said:?}");
    case.expect(Archived, Archived);
    assert!(!case.site.path("flag").exists());
}
