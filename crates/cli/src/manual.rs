//! The manual page: the main command and a section for each verb.

use std::io;

use clap::Command;
use clap_mangen::Man;

/// The page in roff.
pub(crate) fn page(mut command: Command) -> io::Result<String> {
    command.build();
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    let program = command.get_name();
    for verb in command
        .get_subcommands()
        .filter(|verb| verb.get_name() != "help")
    {
        section(verb, program, &mut page)?;
    }
    Ok(page)
}

fn section(verb: &Command, above: &str, page: &mut String) -> io::Result<()> {
    let name = format!("{above} {}", verb.get_name());
    let man = Man::new(verb.clone());
    let mut body = Vec::new();
    man.render_synopsis_section(&mut body)?;
    man.render_description_section(&mut body)?;
    man.render_options_section(&mut body)?;
    if verb.get_after_help().is_some() {
        man.render_extra_section(&mut body)?;
    }
    page.push_str(&format!(".SH \"{}\"\n", name.to_uppercase()));
    page.push_str(&String::from_utf8_lossy(&body).replace(".SH ", ".SS "));
    for inner in verb
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
    {
        section(inner, &name, page)?;
    }
    Ok(())
}
