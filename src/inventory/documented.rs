//! Routes that documents name: they win over statistics.
//!
//! Takes nothing by itself; a reader of specs (floor 7) makes routes, the inventory obeys them. Never holds more of a
//! document than its routes.

/// One documented route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// Only for services of this host (lower case, as in [`ServiceKey`](crate::observe::ServiceKey)); `None`: for any.
    pub host: Option<String>,
    /// Only for services on this port; `None`: on any.
    pub port: Option<u16>,
    /// The whole path from the root, base path included.
    pub segments: Vec<Part>,
}

/// One segment of a documented route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A literal, percent-decoded.
    Literal(String),
    /// One parameter that is the whole segment.
    Parameter(String),
    /// Literals and parameters in one segment, in order (`{service}.{ext}`): `Ok` is a parameter's name, `Err` a literal.
    Mixed(Vec<Result<String, String>>),
    /// Any number of segments, one or more, up to the end of the path (`{path}` that spans slashes).
    CatchAll(String),
}
