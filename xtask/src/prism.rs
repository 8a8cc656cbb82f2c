//! The carriers' requests against mocks made from the carriers' own descriptions of their APIs: prism
//! reads a description, and answers what keeps to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bench::cargo;
use crate::bench::echo::free_port;
use crate::bench::process::{On, Server};

/// What is asked of whom.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the descriptions are: `NAME/NAME-voice.openapi.json` for each carrier.
    #[arg(long, default_value = "../shared/oracles", value_name = "FOLDER")]
    data: PathBuf,
}

/// Starts a mock for each carrier that has a description, and sends it all that we can ask.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<(), String> {
    let descriptions = descriptions(&root.join(&arguments.data))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let folder = root.join(target).join("prism");
    let prism = install(&folder)?;
    cargo(root, &[&["build"], EXAMPLE].concat())?;
    let mut mocks = Vec::new();
    let mut servers = Vec::new();
    for (name, description) in &descriptions {
        let port = free_port()?;
        let state = folder.join(name);
        fs::create_dir_all(&state)
            .map_err(|fault| format!("cannot make {}: {fault}", state.display()))?;
        let (at, path) = (port.to_string(), description.display().to_string());
        // Not with --errors, which refuses no request that is taken without, but turns the mock's own
        // answers into faults: the examples they are made from do not all keep to their description.
        let mock = ["mock", "--host", "127.0.0.1", "--port", &at];
        let mock = [&mock[..], &["--multiprocess=false", &path]].concat();
        servers.push((Server::start(On::AnyCore, &prism, &mock, &state)?, port));
        mocks.push(format!("{name}={port}={path}"));
    }
    for (server, port) in &mut servers {
        server.wait_for(*port)?;
    }
    println!("prism {VERSION}");
    let mocks: Vec<_> = mocks.iter().map(String::as_str).collect();
    cargo(
        root,
        &[&["run", "--quiet"], EXAMPLE, &["--"], &mocks].concat(),
    )
    .map_err(|_| "a mock and the carrier it is made from differ".to_owned())
}

/// Every description that is there, with its carrier's name.
fn descriptions(data: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let unread = |fault| format!("cannot read {}: {fault}", data.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(data).map_err(unread)? {
        let name = entry.map_err(unread)?.file_name();
        let name = name.to_string_lossy().into_owned();
        let path = data.join(&name).join(format!("{name}-voice.openapi.json"));
        if path.is_file() {
            found.push((name, path));
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(format!("there is no description below {}", data.display()));
    }
    Ok(found)
}

/// Where prism is, and in the version that is wanted.
fn install(folder: &Path) -> Result<PathBuf, String> {
    let modules = folder.join("node_modules");
    let prism = modules.join(".bin/prism");
    let manifest = fs::read(modules.join(PACKAGE).join("package.json")).unwrap_or_default();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap_or_default();
    if manifest["version"] == VERSION && prism.exists() {
        return Ok(prism);
    }
    fs::create_dir_all(folder)
        .map_err(|fault| format!("cannot make {}: {fault}", folder.display()))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts"])
        .args(["--save-exact", "--prefix"])
        .arg(folder)
        .arg(format!("{PACKAGE}@{VERSION}"))
        .stdin(Stdio::null());
    match npm.status() {
        Ok(status) if status.success() => Ok(prism),
        Ok(_) => Err(format!("npm could not install {PACKAGE} {VERSION}")),
        Err(fault) => Err(format!("there is no npm, which brings prism: {fault}")),
    }
}

const PACKAGE: &str = "@stoplight/prism-cli";
const VERSION: &str = "5.14.2";

const EXAMPLE: &[&str] = &["--locked", "--package", "carriers", "--example", "prism"];
