//! Floor 7: what documents say.
//!
//! Takes OpenAPI 3.0, 3.1, 3.2 and Swagger 2.0 documents (YAML or JSON), `.proto` files and descriptor sets through a [`Loader`],
//! gives a [`Contract`]: the
//! operations with their path templates, servers and what they name. Sloppy documents are read as far as they make
//! sense, and each repair is a [`Warning`] with its place. Never touches a file or the network by itself, never follows
//! a `$ref` to the network, and leaves the folder of the document only where [`Options::outside_folder`] allows it.

mod contract;
mod dialect;
mod documents;
mod error;
mod path;
mod proto;
mod server;
mod text;
mod walk;

pub(crate) use documents::percent_decode;

pub use contract::{
    Contract, MessageField, Operation, QueryParameter, Response, Rpc, StatusKey, Variant, Version, structure,
};
pub use error::{SpecError, Warning};
pub use server::{HostRule, ServerRule, ServicePattern};

use crate::base::SpecLimits;
use documents::{Documents, folder, normalise};

/// Where documents come from. The file-system one is `sink::SpecFiles`.
pub trait Loader {
    /// The whole content of the file at `path` (`/` between its parts), or why it could not be read, for people.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// How a document is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Path prefix that a gateway takes off before the observed service sees a request: taken off each documented
    /// path (base path included) that begins with it. Whole segments, `/` between them.
    pub strip_prefix: Option<String>,
    /// Path prefix put before each documented path (base path included), after `strip_prefix` was taken off.
    pub add_prefix: Option<String>,
    /// The services that the document is about, whatever its `servers` say; empty: as it says itself. Base paths stay.
    pub services: Vec<ServicePattern>,
    /// Follow `$ref`s to files outside of the folder of the document. Off, since a document should not be able to
    /// make the daemon read any file of the machine.
    pub outside_folder: bool,
    /// Bounds.
    pub limits: SpecLimits,
}

/// Reads the document at `path` and all that it refers to.
///
/// # Errors
/// When the file cannot be read or parsed, or is no OpenAPI or Swagger document; the error says what to do. Whatever
/// is wrong only in part is a warning instead.
pub fn load(loader: &dyn Loader, path: &str, options: &Options) -> Result<(Contract, Vec<Warning>), SpecError> {
    let limits = &options.limits;
    let path = normalise(path);
    let unreadable = |reason| SpecError::Unreadable { file: path.clone(), reason };
    let bytes = loader.read(&path).map_err(unreadable)?;
    if proto::is_proto(&path, &bytes) {
        return proto::load(loader, &path, &bytes, options);
    }
    let mut documents = Documents::new(loader, folder(&path).to_owned(), options);
    documents.add_main(&path, &bytes)?;
    let main = documents.main();
    let (version, remark) = dialect::identify(&main.path, &main.text.value, &main.text.text)?;
    remark.into_iter().for_each(|remark| documents.warn(remark));
    loop {
        let mut walk = walk::Walk::new(&documents, version, options);
        let contract = walk.contract();
        let (wanted, warnings) = walk.done();
        // Refused and failed files are remembered, so each round adds at least one file or is the last.
        if wanted.is_empty() {
            return Ok((contract, documents.finish(warnings, limits.warnings)));
        }
        wanted.iter().for_each(|path| documents.add(path));
    }
}
