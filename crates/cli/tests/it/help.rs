//! What the binary says about itself.

use crate::harness::World;

#[test]
fn help_of_the_binary_and_of_every_verb() {
    let world = World::empty();
    let mut all = String::new();
    for verb in [
        &["--help"][..],
        &["policy", "--help"],
        &["policy", "check", "--help"],
        &["plan", "--help"],
        &["run", "--help"],
        &["verify", "--help"],
        &["status", "--help"],
        &["history", "--help"],
        &["demo", "--help"],
        &["completions", "--help"],
        &["man", "--help"],
    ] {
        let said = world.run(verb);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{verb:?}");
        all.push_str(&format!("$ elpis-maint {}\n{}\n", verb.join(" "), said.out));
    }
    insta::assert_snapshot!("help", all);
}

#[test]
fn completions_and_manual_page_name_every_verb() {
    let world = World::empty();
    for shell in ["bash", "zsh", "fish"] {
        let said = world.run(&["completions", shell]);
        assert_eq!(said.code, 0);
        for verb in ["plan", "run", "status", "history", "demo", "policy"] {
            assert!(said.out.contains(verb), "{shell}: {verb}");
        }
    }
    let said = world.run(&["man"]);
    assert_eq!(said.code, 0);
    for verb in ["PLAN", "RUN", "STATUS", "HISTORY", "DEMO", "POLICY CHECK"] {
        let section = format!(".SH \"ELPIS\\-MAINT {verb}\"");
        let plain = section.replace("\\-", "-");
        assert!(
            said.out.contains(&section) || said.out.contains(&plain),
            "{verb}"
        );
    }
    assert!(said.out.contains("max\\-time"), "options are there");
}

#[test]
fn completions_of_bash_are_bash() {
    let world = World::empty();
    let said = world.run(&["completions", "bash"]);
    world.write("completion.bash", &said.out);
    let status = std::process::Command::new("bash")
        .arg("-n")
        .arg(world.path("completion.bash"))
        .status()
        .unwrap();
    assert!(status.success());
}
