//! `inspect`: what is in an archive.

use anyhow::Result;
use serde_json::json;

use super::{Context, verify};
use crate::backup::{args, output};
use crate::exit::{Code, Verdict};

pub(super) fn run(context: &Context, args: &args::Inspect) -> Result<Verdict> {
    let found = context.find(&args.archive, args.target.target.clone())?;
    let archive = verify::verify(context, &found)?;
    let contents = archive.contents();
    if context.printer.json {
        let document = match &contents.manifest {
            Some(manifest) => json!(manifest),
            None => json!({ "container": contents.container, "members": contents.members }),
        };
        context.printer.document(&document)?;
        return Ok(Verdict::silent(Code::Done));
    }
    let mut text = output::contents(contents, &context.zone);
    if args.members {
        for member in &contents.members {
            text.push_str(&format!("{}\n", output::member(member)));
        }
    }
    context.printer.data(&text)?;
    Ok(Verdict::silent(Code::Done))
}
