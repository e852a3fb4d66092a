//! API descriptions from the file system.
//!
//! Takes paths, gives the files' bytes, up to a limit. Never writes, and never asks the network.

use std::fs::File;
use std::io::Read;

use crate::base::SpecLimits;
use crate::spec::Loader;

/// Reads documents as files; a relative path starts at the working folder.
#[derive(Clone, Debug)]
pub struct SpecFiles {
    file_bytes: usize,
}

impl SpecFiles {
    /// Files up to the limits' `file_bytes`.
    pub fn new(limits: &SpecLimits) -> Self {
        Self { file_bytes: limits.file_bytes }
    }
}

impl Default for SpecFiles {
    fn default() -> Self {
        Self::new(&SpecLimits::default())
    }
}

impl Loader for SpecFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        // One byte more than allowed tells the reader that the file is too large.
        let most = (self.file_bytes as u64).saturating_add(1);
        file.take(most).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_files_and_says_why_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        std::fs::write(&path, "0123456789").unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(SpecFiles::default().read(path).unwrap(), b"0123456789");
        let small = SpecFiles::new(&SpecLimits { file_bytes: 4, ..SpecLimits::default() });
        assert_eq!(small.read(path).unwrap().len(), 5);
        assert!(SpecFiles::default().read("/no/such/file").unwrap_err().contains("No such file"));
        assert!(SpecFiles::default().read("/").is_err());
    }
}
