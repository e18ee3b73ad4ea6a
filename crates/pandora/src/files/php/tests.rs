use proptest::prelude::*;

use super::*;

fn parse(text: &[u8]) -> Result<PhpConfig, ConfigError> {
    PhpConfig::parse(Path::new("c.php"), text)
}

fn read(text: &str, key: &str) -> Option<String> {
    let config = parse(text.as_bytes()).unwrap();
    config.text(key).unwrap().map(str::to_owned)
}

/// The shape that the product's installer writes: tabs, comments behind, defaults in comments.
const USUAL: &str = r#"<?php
// Begin of automatic config file
$config["dbtype"] = "mysql"; //DB type (mysql, postgresql...)
$config["dbname"]="pandora";			// MySQL DataBase name
$config["dbuser"]="pandora";			// DB User
$config["dbpass"]="pa'ss\$w\"ord # 1";	// DB Password
$config["dbhost"]="127.0.0.1";			// DB Host
$config["homedir"]="/var/www/html/pandora_console";
/*
----------Attention--------------------
$config["dbname"]="commented";
*/
# $config["dbhost"]="commented";
$config["homeurl"]="/pandora_console";	// ?><p>$config["dbuser"]="html";</p>
<?php
error_reporting(0); // "an unended quote in a comment
$ownDir = dirname(__FILE__) . '/';
include ($ownDir . "config_process.php");
?>
"#;

#[test]
fn what_the_installer_writes_is_read() {
    let database = console_database("c.php".as_ref(), USUAL.as_bytes()).unwrap();
    assert_eq!((database.host.as_str(), database.port), ("127.0.0.1", 3306));
    assert_eq!(
        (database.name.as_str(), database.user.as_str()),
        ("pandora", "pandora")
    );
    assert_eq!(
        database.password.as_ref().unwrap().expose(),
        "pa'ss$w\"ord # 1"
    );
    assert!(!format!("{database:?}").contains("pa'ss"));
    assert_eq!(read(USUAL, "homeurl").as_deref(), Some("/pandora_console"));
    assert_eq!(read(USUAL, "nothing"), None);
}

#[test]
fn the_last_assignment_wins_over_all_blocks() {
    let text = "<?php $config['a']='1';?> $config['a']='html'; <?PHP\n$config [ \"a\" ] = '2' ?>x";
    assert_eq!(read(text, "a").as_deref(), Some("2"));
    assert_eq!(read("<?= $config['a']='3'; ?>", "a").as_deref(), Some("3"));
    assert_eq!(read("<?phpx $config['a']='3';", "a"), None);
}

#[test]
fn literals_of_all_kinds_are_values() {
    for (literal, value) in [
        ("3307", Some("3307")),
        ("-1", Some("-1")),
        ("'a' . \"b\".'c'", Some("abc")),
        ("true", Some("1")),
        ("FALSE", None),
        ("NULL", None),
        ("''", None),
        (r"'\\ \' \n \x41'", Some(r"\ ' \n \x41")),
        (r#""\x41\101\u{20AC}\q\\\t""#, Some("AA\u{20ac}\\q\\\t")),
        (r#""100$ \{ {x} $1""#, Some(r"100$ \{ {x} $1")),
        ("'?>'", Some("?>")),
        ("'/* # //'", Some("/* # //")),
    ] {
        let text = format!("<?php\n$config['k'] = {literal};");
        assert_eq!(read(&text, "k").as_deref(), value, "{literal}");
    }
}

#[test]
fn what_only_php_knows_is_refused_with_its_line_and_without_its_value() {
    for literal in [
        "\"hush$word\"",
        "\"{$hush}\"",
        "\"${hush}\"",
        "getenv('HUSH')",
        "HUSH",
        "$hush",
        "010",
        "'hush' . $x",
        "array('hush')",
        "<<<HUSH\nhush\nHUSH",
        "1 + 1",
        "'a' 'hush'",
        "",
    ] {
        let text = format!("<?php\n\n$config['dbpass'] = {literal};\n$config['dbname']='n';");
        let config = parse(text.as_bytes()).unwrap();
        let error = config.text("dbpass").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("c.php:3: the value of dbpass is "),
            "{error}"
        );
        assert!(
            !format!("{error} {error:?} {config:?}").contains("hush"),
            "{error:?}"
        );
        assert_eq!(config.text("dbname").unwrap(), Some("n"), "{literal}");
    }
    let error = parse(b"<?php\n$config['a']='").unwrap_err().to_string();
    assert!(
        error.starts_with("c.php:2: a string does not end"),
        "{error}"
    );
    let error = parse(b"<?php /* ").unwrap_err().to_string();
    assert!(
        error.starts_with("c.php:1: a comment does not end"),
        "{error}"
    );
    let error = parse(b"<?php $config['dbpass']='se\xf1or';").unwrap();
    let error = error.text("dbpass").unwrap_err().to_string();
    assert!(error.contains("UTF-8"), "{error}");
}

#[test]
fn other_uses_of_config_assign_nothing() {
    let text = "<?php $config['a']='1'; if ($config['a'] == '2') {} $x = [$config['a'] => '3']; \
                $config['a']['b'] = '4'; $other['a'] = '5'; $configs['a']='6';";
    assert_eq!(read(text, "a").as_deref(), Some("1"));
}

#[test]
fn what_is_missing_or_no_port_is_said() {
    let error = console_database("c.php".as_ref(), b"<?php $config['dbname']='p';").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("c.php: there is no $config[\"dbuser\"]"),
        "{error}"
    );
    let text = USUAL.replace(
        "error_reporting",
        "$config['dbport'] = '0'; error_reporting",
    );
    let error = console_database("c.php".as_ref(), text.as_bytes()).unwrap_err();
    assert!(
        error.to_string().starts_with("c.php:16: dbport is no port"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Written with escapes by rules of our own that are as short as PHP's.
    #[test]
    fn any_password_comes_back_from_either_quotes(password in "\\PC{1,20}|[ -~\n\t]{1,20}") {
        let single = password.replace('\\', "\\\\").replace('\'', "\\'");
        let double: String = password
            .chars()
            .map(|c| match c {
                '\\' | '"' | '$' => format!("\\{c}"),
                c if c.is_ascii_control() => format!("\\x{:02X}", c as u32),
                c => c.to_string(),
            })
            .collect();
        for literal in [format!("'{single}'"), format!("\"{double}\"")] {
            let text = format!("<?php // it's\n$config[\"dbpass\"]={literal}; # x\n$config['b']='c';\n?>\n");
            prop_assert_eq!(read(&text, "dbpass"), Some(password.clone()), "{}", text);
            prop_assert_eq!(read(&text, "b"), Some("c".to_owned()));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(config) = parse(&[b"<?php $config['dbname']=", bytes.as_slice()].concat()) {
            let _ = config.database();
        }
    }

    #[test]
    fn any_php_like_text_is_read_or_refused(
        pieces in prop::collection::vec("<\\?php |\\?>|\\$config|\\['a'\\]|=|'x'|\"\\$\\{?|/\\*|\\*/|#|//|\n|<<<A\n|A\n|;|\\\\", 0..30),
    ) {
        if let Ok(config) = parse(pieces.concat().as_bytes()) {
            let _ = config.text("a");
        }
    }
}
