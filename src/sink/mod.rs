//! Floor 8: files, whole.
//!
//! Takes bytes and a path, gives a file that is either the old one or the new one, never half of one; and reads the
//! files of API descriptions. Never keeps a file open, and never knows what is in it.

mod specs;
mod whole;

pub use specs::SpecFiles;
pub use whole::write_whole;
