//! What is read from the disk: the owner's configuration, and what was written there before.

use std::path::Path;
use std::sync::LazyLock;

use gateway::access::{self, Scope};
use gateway::cli::lists;
use gateway::flight::{self, Recording};
use gateway::journal::{HIDDEN, Keys, Reader, SealKey, Wanted};
use gateway::memory::Remembered;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// What is wrong is told with what to do, and the same each time; what nobody is named in lets nobody
/// be called.
pub(crate) fn config(bytes: &[u8]) {
    // What a configuration looks up elsewhere is not what is tried here.
    if [&b"file:"[..], b"env:"].iter().any(|it| holds(bytes, it)) {
        return;
    }
    LazyLock::force(&TLS);
    let folder = folder();
    let path = folder.path().join("offhook.toml");
    std::fs::write(&path, bytes).expect("the folder is ours");
    let load = || gateway::config::load(&path, &lists());
    match (load(), load()) {
        (Ok(one), Ok(again)) => {
            assert_eq!(one.warnings, again.warnings);
            let nobody = one.plan.rules.call.value.is_nobody();
            let named = holds(bytes, b"call") || holds(bytes, b"contacts");
            assert!(nobody || named, "somebody may be called whom nobody named");
        }
        (Err(one), Err(again)) => {
            assert_eq!(one, again);
            assert!(!one.is_empty(), "it is refused, and nothing is wrong");
            let told = |it: &gateway::config::ConfigProblem| {
                !it.message.is_empty() && !it.hint.is_empty() && !it.code.is_empty()
            };
            assert!(one.iter().all(told), "{one:#?}");
        }
        (one, again) => panic!("{:?}, and then {:?}", one.err(), again.err()),
    }
}

/// A recording without its seal, which is put under it: one that is read can be run again and told, and does
/// the same each time. Without the seal it is refused.
pub(crate) fn recording(bytes: &[u8]) {
    let mut body = bytes.to_vec();
    body.push(b'\n');
    let hash = Sha256::digest(&body);
    let hash: String = hash.iter().map(|it| format!("{it:02x}")).collect();
    let sealed = [&body[..], format!("{{\"sha256\":\"{hash}\"}}\n").as_bytes()].concat();
    assert!(Recording::read(&body).is_err(), "there is no seal");
    let mut changed = sealed.clone();
    changed[0] ^= 1;
    assert!(Recording::read(&changed).is_err(), "its seal is another's");
    let Ok(recording) = Recording::read(&sealed) else {
        return;
    };
    let (one, again) = (flight::replay(&recording), flight::replay(&recording));
    assert_eq!(one.broke, None, "a call broke");
    assert_eq!(one.entries.len(), again.entries.len());
    assert_eq!(one.differs(&recording), again.differs(&recording));
    let _ = flight::story(&recording);
}

/// What is read is written and read as the same.
pub(crate) fn memory(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(remembered) = Remembered::read(text) {
        let again = Remembered::read(&remembered.write());
        assert_eq!(again.ok(), Some(remembered));
    }
}

/// What was opened is open; and an entry that is sealed is opened as it was, by its key alone.
pub(crate) fn entry(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let nobody = Keys::default();
    let (opened, _) = KEYS.open(text.to_owned());
    assert_eq!(KEYS.open(opened.clone()), (opened, false));
    if !text.contains("\"sealed\"") && is_object(text) {
        let sealed = KEYS.seal(text).expect("there is a key");
        let same = |it: &str| serde_json::from_str::<serde_json::Value>(it).ok();
        let (opened, hidden) = KEYS.open(sealed.clone());
        assert!(!hidden);
        assert_eq!(same(&opened), same(text));
        let (closed, hidden) = nobody.open(sealed);
        assert_eq!(hidden, closed.contains(HIDDEN));
    }
}

/// A file that is none is refused. Of one that is whole, what is read comes in order, and no more of it than
/// there is.
pub(crate) fn journal(bytes: &[u8]) {
    let folder = folder();
    let path = gateway::journal::path(folder.path());
    std::fs::write(path, bytes).expect("the folder is ours");
    let Ok(reader) = Reader::of_folder(folder.path()) else {
        return;
    };
    RUNTIME.block_on(async {
        let rows = reader.after(&Wanted::default()).await;
        let whole = reader.verify().await;
        if let (Ok(rows), Ok(Ok(entries))) = (&rows, whole) {
            assert!(rows.is_sorted_by(|one, next| one.id < next.id));
            assert!(rows.len() as u64 <= entries, "more than there is");
        }
        let _ = reader.calls(100).await;
        let _ = reader.remembered().await;
        let _ = reader.memory("c".to_owned()).await;
        let _ = reader.leg("c".to_owned()).await;
    });
}

/// A token opens nothing whose hash is not in the file.
pub(crate) fn tokens(bytes: &[u8]) {
    let folder = folder();
    std::fs::write(folder.path().join("tokens.json"), bytes).expect("the folder is ours");
    let token = "offhook_0";
    let hash = Sha256::digest(token);
    let hash: String = hash.iter().map(|it| format!("{it:02x}")).collect();
    let scope: Option<Scope> = access::scope(folder.path(), token);
    // Written as JSON may, a letter can look like something else.
    let named = holds(bytes, hash.as_bytes()) || holds(bytes, b"\\u");
    assert!(scope.is_none() || named, "it opens as {scope:?}");
    let all = access::Tokens::open(folder.path()).map(|it| it.all().len());
    assert!(scope.is_none() || all.is_ok_and(|it| it > 0));
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|it| it == what)
}

fn is_object(text: &str) -> bool {
    serde_json::from_str::<serde_json::Map<_, _>>(text).is_ok()
}

/// In memory, where that is to be had: a file is written for each try.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.expect("a folder can be made")
}

static TLS: LazyLock<()> = LazyLock::new(|| {
    // Whoever was first did the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
});

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    seal: SealKey::parse(&"07".repeat(32)),
    old: SealKey::parse(&"08".repeat(32)).into_iter().collect(),
});

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let built = Builder::new_current_thread()
        .max_blocking_threads(1)
        .build();
    built.expect("a thread can be started")
});
