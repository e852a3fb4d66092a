//! `shadowtap inventory`: a look into what is kept.

use std::process::ExitCode;

use super::args::{Export, Inventory, List, Show};
use super::exit::Failure;
use super::show::{self, Cut};
use super::{kept, output};
use crate::console::Screen;
use crate::inventory::{EndpointView, OpaqueView, ServiceView, View};

/// Runs it.
pub(crate) fn run(command: &Inventory, screen: &Screen) -> Result<ExitCode, Failure> {
    match command {
        Inventory::List(args) => list(args, screen)?,
        Inventory::Show(args) => one(args, screen)?,
        Inventory::Export(args) => export(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(args: &List, screen: &Screen) -> Result<(), Failure> {
    let mut view = kept::view(&args.kept)?;
    if let Some(text) = &args.service {
        let has = |s: &ServiceView| s.origin().contains(text.as_str());
        view.apis.retain(|a| has(a) || view.services.iter().any(|s| s.api.as_ref() == Some(&a.id) && has(s)));
        let apis: Vec<String> = view.apis.iter().map(|a| a.id.clone()).collect();
        view.services.retain(|s| has(s) || s.api.as_ref().is_some_and(|api| apis.contains(api)));
        view.opaque.retain(|o| o.origin().contains(text.as_str()));
        view.blind.services.retain(|b| b.place().contains(text.as_str()));
    }
    if args.json {
        return output::json(&view);
    }
    let cut = Cut::of(screen, args.full);
    let rest = "see them with --full, or some with --service TEXT";
    let text = show::services(&view, None, screen, cut, rest) + &show::opaque(&view, screen, cut, rest);
    output::print(text.trim_start_matches('\n'))
}

fn export(args: &Export) -> Result<(), Failure> {
    let view = kept::view(&args.kept)?;
    if args.compact {
        let text = serde_json::to_string(&view)?;
        return output::print(&(text + "\n"));
    }
    output::json(&view)
}

fn one(args: &Show, screen: &Screen) -> Result<(), Failure> {
    let (view, contracts) = kept::shown(&args.kept)?;
    let which = args.which.join(" ");
    // One of several that are an API by itself, too.
    let named = |s: &&ServiceView| s.id == which || s.origin() == which;
    if let Some(service) = view.services.iter().chain(&view.apis).find(named) {
        if args.json {
            return output::json(service);
        }
        let behind = |o: &&OpaqueView| o.services.iter().any(|id| service.has_id(id));
        let opaque = view.opaque.iter().filter(behind).cloned().collect();
        let service = ServiceView { api: None, ..service.clone() };
        let alone = View { services: vec![service], opaque, ..View::default() };
        let text = show::services(&alone, None, screen, Cut::NONE, "");
        return output::print(text.trim_start_matches('\n'));
    }
    if let Some(server) = view.opaque.iter().find(|o| o.id == which || o.origin() == which) {
        return if args.json { output::json(server) } else { output::print(&show::server(server, screen)) };
    }
    let found = matching(&view, &which);
    if found.is_empty() {
        return Err(Failure::Runtime(anyhow::anyhow!(
            "nothing in the inventory is called `{which}`: give an id or a path template as `inventory list` shows them"
        )));
    }
    if args.json {
        return match found.as_slice() {
            [(_, endpoint)] => output::json(endpoint),
            many => output::json(&many.iter().map(|(_, e)| e).collect::<Vec<_>>()),
        };
    }
    let text =
        |service, endpoint| show::endpoint(service, endpoint, screen) + &show::schema(&contracts, endpoint, screen);
    let texts: Vec<_> = found.iter().map(|(service, endpoint)| text(service, endpoint)).collect();
    output::print(&texts.join("\n"))
}

/// By id; or by template, with or without method, at any service; with the origin before the path at one.
fn matching<'v>(view: &'v View, which: &str) -> Vec<(&'v ServiceView, &'v EndpointView)> {
    let (method, path) = match which.split_once(' ') {
        Some((method, path)) => (Some(method), path.trim()),
        None => (None, which),
    };
    let fits = |s: &ServiceView, e: &EndpointView| {
        e.id == which
            || (method.is_none_or(|m| m.eq_ignore_ascii_case(&e.method))
                && (e.template == path
                    || e.place() == path
                    || path.strip_prefix(&s.origin()).is_some_and(|p| p == e.template)))
    };
    view.services.iter().flat_map(|s| s.endpoints.iter().map(move |e| (s, e))).filter(|(s, e)| fits(s, e)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn finds_by_id_path_method_and_origin() {
        let view = sample::view();
        assert_eq!(matching(&view, "ep-0000000000000009").len(), 1);
        assert_eq!(matching(&view, "/v1/orders").len(), 2);
        assert_eq!(matching(&view, "post /v1/orders").len(), 1);
        assert_eq!(matching(&view, "GET http://shop.example:8080/v1/orders").len(), 1);
        assert!(matching(&view, "PUT /v1/orders").is_empty());
    }
}
