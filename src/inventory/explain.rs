//! Why a segment is what it is.
//!
//! Takes a request, gives its template with the reason for each segment; gives the judgements that are least certain, for people
//! to settle. Never changes anything, and never says a value: words that may be literals alone.

use serde::Serialize;

use super::learn::{self, Decision, Piece};
use super::tree::{ROOT, Token};
use super::{Inventory, render};
use crate::observe::glue::{AFTER, BEFORE};
use crate::observe::{Kind, Observation};

/// A segment, or a part of one (`42` and `.json`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SegmentReason {
    /// The word; `None` where its text is not kept.
    pub word: Option<String>,
    /// Is it a literal of the template?
    pub literal: bool,
    /// How sure that is, 0.5 to 1.
    pub confidence: f32,
    /// Why, to be read after "because".
    pub reason: String,
    /// Exchanges that prove the word at this place, and words that stand there.
    pub calls: u64,
    /// Words at the place.
    pub words: usize,
}

/// Why a request has its template.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// The template; `None` where the request counts as a probe, or nothing like it was seen.
    pub template: Option<String>,
    /// Was this very path, with the method, seen?
    pub seen: bool,
    /// Its segments, as far as they are known.
    pub segments: Vec<SegmentReason>,
}

/// A judgement that could as well be otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Doubt {
    /// The service's host.
    pub host: String,
    /// Where the word stands, the word last; `*` for a parameter: as rules are written.
    pub path: String,
    /// Is it taken for a literal?
    pub literal: bool,
    /// How sure that is, 0.5 to 1.
    pub confidence: f32,
    /// Exchanges that prove the word at this place.
    pub calls: u64,
    /// Words at the place.
    pub words: usize,
    /// Do values by form (numbers, UUIDs ...) stand beside it?
    pub beside_values: bool,
    /// Why it is taken for that, to be read after "because".
    pub reason: String,
}

impl Inventory {
    /// Why a request has its template; `None` where its service is not known.
    pub fn explain(&self, o: &Observation<'_>) -> Option<Explained> {
        let number = self.find(&o.service)? as usize;
        let alone = self.services.get(number)?;
        // Where it is one API together with others, its templates are those of all.
        let together = self.together(number);
        let (service, told) = match &together {
            Some((union, told)) => (&union.service, told.clone()),
            None => (alone, self.told_of(alone)),
        };
        let learnt = learn::learn(&service.tree, &told, true);
        let limit = self.limits.path_segments;
        let id = self.reach(service, o);
        let template = id.and_then(|id| learnt.templates.iter().find(|t| t.endpoints.contains(&id)));
        let mut way = Vec::new();
        let mut at = service.tree.follow(o.path, limit).node;
        while at != ROOT {
            way.push(at);
            at = service.tree.nodes[at as usize].parent;
        }
        let documented = template.is_some_and(|t| t.documented);
        let segments = way.iter().rev().enumerate().map(|(at, node)| {
            let decision = learnt.decisions.iter().find(|d| d.nodes.contains(node));
            let piece = template.and_then(|t| t.pieces.get(at));
            let kind = o.path.get(at).map(|s| s.kind);
            segment(&service.tree.nodes[*node as usize].token, decision, piece, kind, documented)
        });
        Some(Explained {
            segments: segments.collect(),
            seen: id.is_some(),
            template: template.map(|t| render::text(service, t)),
        })
    }

    /// The judgements of the model, the least certain first.
    pub fn doubts(&self) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        for service in &self.services {
            let learnt = learn::learn(&service.tree, &self.told_of(service), true);
            let of_bodies = |r| matches!(r, learn::Reason::Mentioned(_) | learn::Reason::Unmentioned(_));
            let open =
                learnt.decisions.into_iter().filter(|d| d.reason == learn::Reason::Traffic || of_bodies(d.reason));
            doubts.extend(open.map(|d| Doubt {
                host: service.facts.host.to_string(),
                path: rule_path(&d.before, &d.word),
                literal: d.literal,
                confidence: d.value.max(1.0 - d.value),
                calls: d.calls,
                words: d.words,
                beside_values: d.beside_values,
                reason: d.reason.words().into_owned(),
            }));
        }
        doubts.sort_by(|a, b| {
            let order = a.confidence.total_cmp(&b.confidence);
            order.then_with(|| (&a.host, &a.path).cmp(&(&b.host, &b.path)))
        });
        doubts
    }
}

/// A place as rules name it.
fn rule_path(before: &[Piece], word: &str) -> String {
    let mut path = String::new();
    for piece in before {
        path.push('/');
        path.push_str(if let Piece::Literal(word) = piece { word } else { "*" });
    }
    path + "/" + word
}

fn segment(
    token: &Token,
    decision: Option<&Decision>,
    piece: Option<&Piece>,
    kind: Option<Kind>,
    documented: bool,
) -> SegmentReason {
    let word =
        if let Token::Word(text, _) = token { Some(text.trim_matches([BEFORE, AFTER]).to_owned()) } else { None };
    if let Some(d) = decision {
        return SegmentReason {
            word,
            literal: d.literal,
            confidence: d.value.max(1.0 - d.value),
            reason: d.reason.words().into_owned(),
            calls: d.calls,
            words: d.words,
        };
    }
    let literal = matches!(piece, Some(Piece::Literal(_)));
    let glued = matches!(token, Token::Word(text, _) if text.starts_with(BEFORE) || text.ends_with(AFTER));
    let reason = match (token, piece) {
        (Token::Value, _) => {
            let kind = kind.and_then(|k| serde_json::to_value(k).ok()).and_then(|k| k.as_str().map(str::to_owned));
            format!("it has the form of a value ({})", kind.unwrap_or_else(|| "of several kinds".to_owned()))
        }
        (_, Some(Piece::CatchAll(_))) => "paths go on to any depth here".to_owned(),
        _ if documented => "a document says so".to_owned(),
        _ if glued => "it is a part of the segment".to_owned(),
        (_, None) => "nothing here ever succeeded".to_owned(),
        _ => "it never succeeded, and is matched with what did".to_owned(),
    };
    SegmentReason { word, literal, confidence: 1.0, reason, calls: 0, words: 0 }
}
