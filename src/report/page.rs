//! One self-contained page.
//!
//! Takes view, diff and where they came from; gives HTML with its style and a small search script inside. Loads nothing,
//! reads well without scripts, on paper, in the dark and on a phone. Each text from the wire is escaped.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{figures, opaque, sections, visible};
use crate::diff::Diff;
use crate::inventory::View;

/// Where the inventory came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Files or interfaces, by name.
    pub sources: Vec<String>,
    /// The capture filter (BPF) in force.
    pub filter: Option<String>,
    /// What went wrong while reading, in sentences.
    pub notes: Vec<String>,
}

const STYLE: &str = include_str!("style.css");
const SEARCH: &str = include_str!("search.js");
/// Nothing is loaded from anywhere: were a name from the wire ever to slip through the escaping, it could not call home.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The page as text.
pub fn html(view: &View, diff: Option<&Diff>, meta: &Meta) -> String {
    let view = &view.folded();
    let title = match meta.sources.as_slice() {
        [] => "APIs seen in traffic".to_owned(),
        [one] => format!("APIs seen in {}", visible(short(one))),
        [one, rest @ ..] => format!("APIs seen in {} and {} more", visible(short(one)), rest.len()),
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                title { (title) " · shadowtap" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#findings" { "Skip to findings" }
                header {
                    p.brand { "shadowtap" }
                    h1 { (title) }
                    (window(view, meta))
                    (key_figures(view, diff))
                }
                main {
                    (sections::sight(view, meta))
                    (sections::findings(view, diff))
                    (sections::services(view, diff))
                    (opaque::opaque(view))
                    (opaque::blind(view))
                    (sections::oddities(view))
                }
                footer {
                    p {
                        "Made by shadowtap " (env!("CARGO_PKG_VERSION")) " from traffic that passed its sensor. \
                         An API that nobody called in this window, or whose traffic took another way, is not on this page."
                    }
                }
                script { (PreEscaped(SEARCH)) }
            }
        }
    }
    .into_string()
}

/// A file's name without its folders.
fn short(source: &str) -> &str {
    source.rsplit('/').find(|part| !part.is_empty()).unwrap_or(source)
}

fn window(view: &View, meta: &Meta) -> Markup {
    html! {
        p.window {
            @if view.calls() == 0 {
                "No HTTP exchange was observed."
            } @else {
                time datetime=(view.first_seen) { (figures::moment(view.first_seen)) }
                " to "
                time datetime=(view.last_seen) { (figures::moment_after(view.first_seen, view.last_seen)) }
                " UTC · " (figures::span(view.last_seen.since(view.first_seen)))
            }
            @if let Some(filter) = &meta.filter { " · filter " code { (visible(filter)) } }
        }
        @if meta.sources.iter().any(|source| meta.sources.len() > 1 || short(source) != source) {
            details.sources {
                summary { (figures::things(meta.sources.len() as u64, "source", "sources")) }
                ul { @for source in &meta.sources { li { code { (visible(source)) } } } }
            }
        }
    }
}

fn key_figures(view: &View, diff: Option<&Diff>) -> Markup {
    let figure = |n: u64, words: &str| {
        html! { div { dd title=(figures::exact(n)) { (figures::short(n)) } dt { (words) } } }
    };
    html! {
        dl.figures {
            (figure(view.calls(), "exchanges"))
            (figure(view.services.len() as u64, "services"))
            (figure(view.endpoints() as u64, "endpoints"))
            @if view.sight.opaque > 0 { (figure(view.sight.opaque, "opaque servers")) }
            @if view.sight.blind > 0 { (figure(view.sight.blind, "blind servers")) }
            @if let Some(diff) = diff { (figure(diff.findings.len() as u64, "findings")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn page() -> String {
        html(&sample::view(), Some(&sample::diff()), &sample::meta())
    }

    /// The page without style and script, tags cut out.
    fn words(page: &str) -> String {
        let mut out = String::new();
        let mut rest = page;
        while let Some(at) = rest.find('<') {
            out.push_str(&rest[..at]);
            out.push(' ');
            let tag = &rest[at..];
            let end = ["style", "script"]
                .iter()
                .find(|name| tag[1..].starts_with(**name))
                .and_then(|name| tag.find(&format!("</{name}>")))
                .or_else(|| tag.find('>'))
                .unwrap();
            rest = &tag[end + 1..];
        }
        out + rest
    }

    #[test]
    fn each_text_from_the_wire_is_escaped() {
        let page = page();
        assert!(!page.contains("<script>alert"));
        assert!(page.contains("/&lt;script&gt;alert(1)&lt;<wbr>/script&gt;&quot;'&amp;\\u{1b}[2J"));
        assert!(!page.contains('\u{1b}'));
    }

    #[test]
    fn loads_nothing() {
        let page = page();
        for word in [" src=", "@import", "url(", "<link", "<iframe", "fetch(", "XMLHttpRequest"] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn never_claims_to_have_seen_everything() {
        let text = words(&page()).to_lowercase();
        for word in ["all", "complete", "completely", "always", "every", "everything"] {
            assert!(!text.split(|c: char| !c.is_alphanumeric()).any(|w| w == word), "the page says `{word}`");
        }
    }

    #[test]
    fn sight_comes_before_findings_before_services() {
        let page = page();
        let at = |id: &str| page.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no {id}"));
        assert!(at("sight") < at("findings") && at("findings") < at("services"));
        assert!(at("services") < at("opaque") && at("opaque") < at("blind"));
        let shadow = page.find("Shadow endpoints").unwrap();
        assert!(shadow < page.find("Documented, not seen").unwrap(), "worst first");
    }

    #[test]
    fn the_same_input_gives_the_same_page() {
        assert_eq!(page(), page());
    }

    #[test]
    fn an_empty_inventory_says_so() {
        let page = html(&View::default(), None, &Meta::default());
        assert!(page.contains("No HTTP exchange was observed."));
        assert!(page.contains("Nothing was captured"));
        assert!(page.contains("--spec"));
    }

    #[test]
    fn tags_are_balanced() {
        let page = page();
        for tag in ["div", "section", "table", "tbody", "tr", "td", "th", "details", "summary", "ul", "li", "dl", "p"] {
            let open = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}
