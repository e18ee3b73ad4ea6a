//! Which prompt the device shows, and where a command's answer begins and ends.
//!
//! A prompt decides what may be typed next, so nothing is taken for one that merely looks alike:
//! the whole last line has to be of a known form.

use super::text::last_line;

/// What is waiting for input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// `> `: the device's own command line.
    Clish,
    /// `admin@firepower:~$ `: the Linux shell.
    Expert,
    /// `root@firepower:/home/admin# `
    Root,
    /// `firepower> `: the diagnostic CLI before `enable`. Some versions of CLISH, and the command
    /// line of a chassis module, look the same.
    Named(String),
    /// `firepower# ` or `firepower/pri/act# `: the diagnostic CLI, enabled; or a chassis.
    Enabled(String),
    /// `firepower(config)# `: somebody left it in configuration mode.
    Config(String),
    /// `<--- More --->` or `--More--`
    Pager,
    /// A question for a password, in the device's words.
    Password(String),
}

impl Prompt {
    /// Whether it is that of the enabled diagnostic CLI of this host, in whatever role.
    pub(crate) fn is_enabled_on(&self, host: &str) -> bool {
        match self {
            Prompt::Enabled(name) => name.split('/').next() == Some(host),
            _ => false,
        }
    }

    /// The prompt on the last line of `rendered`, if there is one.
    pub(crate) fn on(rendered: &str) -> Option<Prompt> {
        let line = last_line(rendered);
        if line == ">" {
            return Some(Prompt::Clish);
        }
        if matches!(line.trim(), "<--- More --->" | "--More--" | "-- More --") {
            return Some(Prompt::Pager);
        }
        if asks_for_password(line) {
            return Some(Prompt::Password(line.to_owned()));
        }
        let (head, sign) = line.split_at_checked(line.len().checked_sub(1)?)?;
        match sign {
            "$" if is_shell(head) => Some(Prompt::Expert),
            "#" if is_shell(head) && head.starts_with("root@") => Some(Prompt::Root),
            "#" => match head.split_once('(') {
                Some((name, mode)) if is_host(name) && mode.ends_with(')') => {
                    Some(Prompt::Config(name.to_owned()))
                }
                None if is_host(head) => Some(Prompt::Enabled(head.to_owned())),
                _ => None,
            },
            ">" if is_host(head) => Some(Prompt::Named(head.to_owned())),
            _ => None,
        }
    }
}

/// What stands between the echo of `command` and the prompt that closes its answer; `None` unless
/// both are there. An answer without its closing prompt is not an answer.
pub(crate) fn answer_to<'a>(command: &str, rendered: &'a str) -> Option<&'a str> {
    let closing = match Prompt::on(rendered)? {
        Prompt::Pager | Prompt::Password(_) => return None,
        _ => rendered.rfind('\n').map_or(0, |at| at + 1),
    };
    let echo_end = rendered
        .match_indices(command)
        .map(|(at, _)| at + command.len())
        .find(|end| {
            rendered
                .get(*end..)
                .is_some_and(|rest| rest.starts_with('\n'))
        })?;
    rendered.get(echo_end + 1..closing)
}

/// `user@host:directory`
fn is_shell(head: &str) -> bool {
    let Some((user, rest)) = head.split_once('@') else {
        return false;
    };
    let Some((host, directory)) = rest.split_once(':') else {
        return false;
    };
    is_word(user) && is_word(host) && directory.starts_with(['/', '~'])
}

/// A host name, perhaps with the priority and state that `prompt hostname priority state` adds.
fn is_host(head: &str) -> bool {
    let mut parts = head.split('/');
    parts.next().is_some_and(is_word)
        && parts.all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// The words by which the languages of the field ask for a password; sudo prints its own
/// translation when the account has a locale.
const PASSWORD_WORDS: [&str; 12] = [
    "password",
    "passwort",
    "kennwort",
    "contraseña",
    "mot de passe",
    "senha",
    "пароль",
    "パスワード",
    "密码",
    "密碼",
    "암호",
    "비밀번호",
];

/// Words that make it a question for another password than the one the session was opened with.
const OTHER_PASSWORD_WORDS: [&str; 7] = [
    "new", "old", "current", "retype", "confirm", "change", "expired",
];

/// A short last line that ends in a colon and asks for the account's present password.
fn asks_for_password(line: &str) -> bool {
    let lower = line.to_lowercase();
    lower.ends_with([':', '：'])
        && lower.chars().count() <= 80
        && PASSWORD_WORDS.iter().any(|word| lower.contains(word))
        && !OTHER_PASSWORD_WORDS.iter().any(|word| {
            lower
                .split(|c: char| !c.is_alphanumeric())
                .any(|part| part == *word)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Prompt::*;

    #[test]
    fn the_prompts_of_the_field_are_told_apart() {
        let named = |name: &str| String::from(name);
        for (line, expected) in [
            ("> ", Some(Clish)),
            ("admin@firepower:~$ ", Some(Expert)),
            ("root@firepower:/ngfw/var/sf/updates# ", Some(Root)),
            ("root@fp:/# ", Some(Root)),
            ("firepower> ", Some(Named(named("firepower")))),
            (
                "Firepower-module1>",
                Some(Named(named("Firepower-module1"))),
            ),
            ("firepower# ", Some(Enabled(named("firepower")))),
            ("asav-1/pri/act# ", Some(Enabled(named("asav-1/pri/act")))),
            ("firepower(config)# ", Some(Config(named("firepower")))),
            ("<--- More --->", Some(Pager)),
            ("--More--", Some(Pager)),
            ("Password: ", Some(Password(named("Password:")))),
            (
                "[sudo] password for admin: ",
                Some(Password(named("[sudo] password for admin:"))),
            ),
            ("admin 암호: ", Some(Password(named("admin 암호:")))),
            ("", None),
            ("#", None),
            ("    #2) Think before you type.", None),
            ("[240718 02:48:17:007] # UPGRADE STARTING", None),
            ("newer installed 7.2.2 > 6.2.3", None),
            ("a > b#", None),
            ("echo x$", None),
            ("New password: ", None),
            ("(current) UNIX password: ", None),
            ("Verification code: ", None),
            ("You must change your password:", None),
        ] {
            assert_eq!(Prompt::on(line), expected, "{line:?}");
        }
    }

    #[test]
    fn only_the_last_line_can_be_a_prompt() {
        assert_eq!(Prompt::on("firepower# \nSwitching"), None);
        assert_eq!(Prompt::on("text\n> "), Some(Clish));
    }

    #[test]
    fn an_answer_has_an_echo_before_and_a_prompt_behind() {
        let whole = "> \n> show version\nModel : x\n\n> ";
        assert_eq!(answer_to("show version", whole), Some("Model : x\n\n"));
        assert_eq!(answer_to("show failover", whole), None);
        for end in 0..whole.len() {
            let cut = whole.get(..end).unwrap();
            // The blank behind the prompt is decoration.
            assert_eq!(
                answer_to("show version", cut).is_some(),
                end == whole.len() - 1,
                "{cut:?}"
            );
        }
    }
}
