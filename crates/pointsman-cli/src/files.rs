//! Reading and writing whole files, with sentences that name them.

use anyhow::{Context, Result, bail};
use pointsman_core::{artifact::Artifact, catalog::Catalog};
use std::{
    fs::{self, File},
    io::{self, Read as _, Write},
    path::{Path, PathBuf},
};

/// Writes a file in one piece: beside its place first, then renamed, so that a run that is cut
/// off leaves either the old file or the new one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = || format!("cannot write {}", path.display());
    if path == Path::new("-") {
        bail!("`-` is standard output for --json only; name a file here");
    }
    // A link is followed, so that it stays one; what is no plain file is left alone.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&target).is_ok_and(|known| !known.is_file()) {
        bail!("{}: it is there and is not a plain file", name());
    }
    let path = target.as_path();
    let Some(file_name) = path.file_name() else { bail!("{}: it names no file", name()) };
    make_folder_of(path)?;
    let mut beside = file_name.to_owned();
    beside.push(format!(".{}.partial", std::process::id()));
    let beside: PathBuf = path.with_file_name(beside);
    let written = fs::File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The reason is reported below; a leftover could not be removed for the same reason.
        drop(fs::remove_file(&beside));
    }
    written.with_context(name)
}

/// Makes the folder that a file is to stand in.
pub(crate) fn make_folder_of(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Some(folder) = folder else { return Ok(()) };
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// Refuses outputs that would replace an input of the same run, or one another, and places that can
/// hold no file: before the work, not after it.
pub(crate) fn check_apart(inputs: &[&Path], outputs: &[Option<&Path>]) -> Result<()> {
    let resolved = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut taken: Vec<PathBuf> = inputs.iter().map(|path| resolved(path)).collect();
    for output in outputs.iter().flatten().filter(|output| **output != Path::new("-")) {
        let found = resolved(output);
        if taken.contains(&found) {
            bail!(
                "{} is named twice, and would be overwritten; name another output",
                output.display()
            );
        }
        check_place(output)?;
        taken.push(found);
    }
    Ok(())
}

fn check_place(output: &Path) -> Result<()> {
    if output.is_dir() {
        bail!("cannot write {}: it is a folder; name a file in it", output.display());
    }
    if let Some(above) = no_folder(output.ancestors().skip(1)) {
        bail!("cannot write {}: {} is no folder", output.display(), above.display());
    }
    Ok(())
}

/// Refuses a place that can be no folder of outputs: before the work, not after it.
pub(crate) fn check_folder(output: &Path) -> Result<()> {
    match no_folder(output.ancestors()) {
        Some(found) if found == output => {
            bail!("cannot write into {}: it is a file; name a folder", output.display())
        }
        Some(found) => {
            bail!("cannot write into {}: {} is no folder", output.display(), found.display())
        }
        None => Ok(()),
    }
}

/// The first of these places that is there, if it is no folder.
fn no_folder<'p>(mut places: impl Iterator<Item = &'p Path>) -> Option<&'p Path> {
    places.find(|place| place.exists()).filter(|place| !place.is_dir())
}

/// Bytes that are asked for at a time: while the system copies them, the processor is nobody else's.
const PIECE_BYTES: u64 = 1 << 18;

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let name = || format!("cannot read {}", path.display());
    match read_in_pieces(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("{}: there is no such file; check the path", name())
        }
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            bail!("{}: it is a folder; name a file in it", name())
        }
        Err(error) => Err(error).with_context(name),
    }
}

fn read_in_pieces(path: &Path) -> io::Result<Vec<u8>> {
    let file = &File::open(path)?;
    let n_bytes = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(n_bytes)?;
    while 0 < file.take(PIECE_BYTES).read_to_end(&mut bytes)? {}
    Ok(bytes)
}

/// Reads a file of text; `what` says what such a file is, to whoever named another.
pub(crate) fn read_text(path: &Path, what: &str) -> Result<String> {
    let bytes = read(path)?;
    let text = String::from_utf8(bytes).ok();
    text.with_context(|| format!("{} is not text; {what}", path.display()))
}

/// Reads and checks a policy file.
pub(crate) fn read_artifact(path: &Path) -> Result<Artifact> {
    Artifact::from_bytes(read(path)?).with_context(|| path.display().to_string())
}

/// Reads a catalog; JSON where the name says so, else TOML.
pub(crate) fn read_catalog(path: &Path) -> Result<Catalog> {
    let text = read_text(path, "a catalog is TOML or JSON")?;
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let catalog = if is_json { Catalog::from_json(&text) } else { Catalog::from_toml(&text) };
    catalog.with_context(|| path.display().to_string())
}

/// Writes a catalog; JSON where the name says so, else TOML.
pub(crate) fn write_catalog(path: &Path, catalog: &Catalog) -> Result<()> {
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let text =
        if is_json { catalog.to_json().map(|text| format!("{text}\n")) } else { catalog.to_toml() };
    write(path, text.with_context(|| path.display().to_string())?.as_bytes())
}
