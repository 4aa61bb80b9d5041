//! What is left of a secret in the memory of this process.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

/// A text with all its bits turned over: a search for it must not find itself.
pub(crate) fn inverted(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| !byte).collect()
}

/// How many copies of an [`inverted`] text there are.
pub(crate) fn copies(inverted: &[u8]) -> io::Result<usize> {
    // So large that it always has a mapping of its own, which is left out: what is read here must not be found as well.
    const CHUNK: u64 = 64 << 20;
    let memory = File::open("/proc/self/mem")?;
    let mut chunk = vec![0; usize::try_from(CHUNK).unwrap() + inverted.len() - 1];
    let mut found = 0;
    for line in fs::read_to_string("/proc/self/maps")?.lines() {
        let mut words = line.split(' ');
        let (Some(range), Some(access)) = (words.next(), words.next()) else { continue };
        let Some((start, end)) = range.split_once('-').filter(|_| access.starts_with("rw")) else { continue };
        let address = |text| u64::from_str_radix(text, 16).map_err(io::Error::other);
        let (start, end) = (address(start)?, address(end)?);
        if (start..end).contains(&(chunk.as_ptr().addr() as u64)) {
            continue;
        }
        let mut position = start;
        while position < end {
            let length = usize::try_from(end - position).unwrap().min(chunk.len());
            // What was unmapped meanwhile holds nothing.
            let read = memory.read_at(&mut chunk[..length], position).unwrap_or(0);
            for byte in &mut chunk[..read] {
                *byte = !*byte;
            }
            found += chunk[..read].windows(inverted.len()).filter(|window| *window == inverted).count();
            position += CHUNK;
        }
    }
    Ok(found)
}
