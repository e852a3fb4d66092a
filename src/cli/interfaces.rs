//! `shadowtap interfaces`: what can be listened on.

use std::process::ExitCode;

use super::args::Interfaces;
use super::exit::Failure;
use super::output;
use crate::capture::interfaces::{self, Interface};
use crate::console::{Align, Screen, Table, Tone};

/// Runs it.
pub(crate) fn run(args: &Interfaces, screen: &Screen) -> Result<ExitCode, Failure> {
    let all = interfaces::list()?;
    if args.json {
        output::json(&all)?;
        return Ok(ExitCode::SUCCESS);
    }
    let tones = screen.tones;
    let mut table = Table::new(&[Align::Left, Align::Left, Align::Left, Align::Left, Align::Left], 4, 0);
    let titles = ["NAME", "STATE", "LINK", "ADDRESSES"];
    let mut head: Vec<_> = titles.iter().map(|t| tones.paint(Tone::Quiet, t)).collect();
    head.push("DESCRIPTION".to_owned());
    table.row(head);
    for i in &all {
        let addresses: Vec<_> = i
            .addresses
            .iter()
            .map(|a| match a.prefix {
                Some(bits) => format!("{}/{bits}", a.address),
                None => a.address.to_string(),
            })
            .collect();
        table.row(vec![
            tones.paint(Tone::Strong, &i.name),
            tones.paint(if i.running { Tone::Good } else { Tone::Quiet }, state(i)),
            i.link.unwrap_or("–").to_owned(),
            addresses.join(" "),
            i.description.clone().unwrap_or_default(),
        ]);
    }
    let text =
        table.render(screen.width, |n, text| if n == 0 { tones.paint(Tone::Quiet, text) } else { text.to_owned() });
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn state(i: &Interface) -> &'static str {
    match (i.up, i.running, i.connected) {
        (false, ..) => "down",
        (true, _, Some(false)) => "up, not connected",
        (true, true, _) => "up",
        (true, false, _) => "up, no carrier",
    }
}
