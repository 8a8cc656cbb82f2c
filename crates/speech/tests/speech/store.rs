//! The store of models, with a Python that fetches from a folder.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use ports::{Fault, code};
use speech::models::{Manifest, Progress, Proof, State, Store};
use tempfile::TempDir;

/// A folder with a store, packages, and a Python whose pip knows only these.
struct Shop {
    dir: TempDir,
}

impl Shop {
    fn new() -> Self {
        let shop = Self {
            dir: tempfile::tempdir().expect("there is room"),
        };
        fs::create_dir(shop.path("packages")).expect("the folder is new");
        shop.wheel(
            "first_model-1.0-py3-none-any.whl",
            "data/first.bin",
            b"the first model",
        );
        shop.wheel(
            "second_model-2.0-py3-none-any.whl",
            "data/second.bin",
            b"the second model",
        );
        shop.python(PIP);
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn wheel(&self, name: &str, inside: &str, content: &[u8]) {
        let script = "import sys,zipfile; z=zipfile.ZipFile(sys.argv[1],'w'); z.writestr(sys.argv[2],sys.argv[3])";
        let made = Command::new("python3")
            .args(["-c", script])
            .arg(self.path("packages").join(name))
            .args([
                inside,
                std::str::from_utf8(content).expect("the test writes text"),
            ])
            .status();
        assert!(made.expect("python3 is installed").success());
    }

    fn python(&self, script: &str) {
        let path = self.path("python");
        let script = script.replace("SHOP", &self.dir.path().display().to_string());
        let mut file = fs::File::create(&path).expect("the folder is ours");
        file.write_all(script.as_bytes()).expect("there is room");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    }

    fn store(&self) -> Store {
        let manifest = Manifest::parse(MANIFEST).expect("the manifest is well formed");
        Store::with(self.path("store"), manifest).python(self.path("python"))
    }

    fn fetch(&self) -> Result<(), Fault> {
        self.store().fetch(Progress::Quiet)
    }

    /// What pip was asked for, in order.
    fn asked(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    fn states(&self) -> Vec<State> {
        self.store().list().into_iter().map(|it| it.state).collect()
    }
}

const PRESENT: State = State::Present(Proof::Manifest);

#[test]
fn everything_is_fetched_once() {
    let shop = Shop::new();
    assert_eq!(shop.states(), [State::Missing, State::Missing]);
    shop.fetch().expect("both packages are there");
    assert_eq!(shop.states(), [PRESENT, PRESENT]);
    assert_eq!(
        fs::read(shop.path("store/a/first.bin")).expect("it is there"),
        b"the first model"
    );
    assert_eq!(shop.asked(), ["first-model==1.0", "second-model==2.0"]);
    shop.fetch().expect("there is nothing to do");
    assert_eq!(shop.asked().len(), 2);
    assert!(
        !shop.path("store/staging").exists(),
        "nothing is left behind"
    );
}

#[test]
fn what_was_fetched_before_a_failure_stays_and_only_the_rest_is_fetched_again() {
    let shop = Shop::new();
    let package = shop.path("packages/second_model-2.0-py3-none-any.whl");
    let away = shop.path("away.whl");
    fs::rename(&package, &away).expect("both are ours");
    let fault = shop.fetch().expect_err("a package is missing");
    assert_eq!(fault.code, code::MODEL_FETCH);
    assert!(fault.hint.is_some());
    assert_eq!(shop.states(), [PRESENT, State::Missing]);
    fs::rename(&away, &package).expect("both are ours");
    shop.fetch().expect("both packages are there");
    assert_eq!(shop.states(), [PRESENT, PRESENT]);
    assert_eq!(
        shop.asked(),
        ["first-model==1.0", "second-model==2.0", "second-model==2.0"]
    );
}

#[test]
fn a_changed_package_is_not_let_in() {
    let shop = Shop::new();
    shop.wheel(
        "first_model-1.0-py3-none-any.whl",
        "data/first.bin",
        b"the f1rst model",
    );
    let fault = shop.fetch().expect_err("the package was changed");
    assert_eq!(fault.code, code::MODEL_CHECKSUM);
    assert_eq!(shop.states(), [State::Missing, State::Missing]);
    assert!(!shop.path("store/a/first.bin").exists());
}

#[test]
fn a_broken_file_is_seen_and_fetched_again() {
    let shop = Shop::new();
    shop.fetch().expect("both packages are there");
    fs::write(shop.path("store/a/first.bin"), b"the first m").expect("the file is ours");
    assert!(matches!(shop.states()[..], [State::Broken(_), PRESENT]));
    shop.fetch().expect("both packages are there");
    assert_eq!(
        shop.asked(),
        ["first-model==1.0", "second-model==2.0", "first-model==1.0"]
    );
    // As long as before, but not the same.
    fs::write(shop.path("store/a/first.bin"), b"the fi3st model").expect("the file is ours");
    let verified: Vec<State> = shop
        .store()
        .verify()
        .into_iter()
        .map(|it| it.state)
        .collect();
    assert!(matches!(verified[..], [State::Broken(_), PRESENT]));
}

#[test]
fn a_file_brought_by_hand_counts_if_it_is_right() {
    let shop = Shop::new();
    fs::create_dir_all(shop.path("store/a")).expect("the folder is ours");
    fs::write(shop.path("store/a/first.bin"), b"the first model").expect("the folder is ours");
    assert_eq!(shop.states(), [PRESENT, State::Missing]);
    shop.fetch().expect("the second package is there");
    assert_eq!(shop.asked(), ["second-model==2.0"]);
}

#[test]
fn what_an_interrupted_fetch_left_is_cleared_away() {
    let shop = Shop::new();
    fs::create_dir_all(shop.path("store/staging/wheels")).expect("the folder is ours");
    let half = shop.path("store/staging/wheels/first_model-1.0-py3-none-any.whl");
    fs::write(&half, b"half a pack").expect("the folder is ours");
    shop.fetch().expect("both packages are there");
    assert_eq!(shop.states(), [PRESENT, PRESENT]);
}

#[test]
fn two_at_once_fetch_once() {
    let shop = Shop::new();
    thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| shop.fetch()));
        for one in both {
            one.join()
                .expect("no panic")
                .expect("both packages are there");
        }
    });
    assert_eq!(shop.asked(), ["first-model==1.0", "second-model==2.0"]);
}

#[test]
fn a_missing_pip_says_what_to_run() {
    let shop = Shop::new();
    shop.python("#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n");
    let fault = shop.fetch().expect_err("there is no pip");
    assert_eq!(fault.code, code::MODEL_FETCH);
    assert!(
        fault
            .hint
            .is_some_and(|it| it.contains("sudo apt-get install -y python3-pip"))
    );
    let store = shop.store().python(shop.path("nowhere"));
    let fault = store
        .fetch(Progress::Quiet)
        .expect_err("there is no python");
    assert!(
        fault
            .hint
            .is_some_and(|it| it.contains("sudo apt-get install -y python3 python3-pip"))
    );
}

#[test]
fn a_file_of_another_platform_is_taken_as_it_is_and_watched() {
    let shop = Shop::new();
    let manifest = MANIFEST.replace(
        "keep = \"a/first.bin\"",
        "keep = \"a/first.bin\"\nwheel = \"cp311-linux\"",
    );
    shop.wheel(
        "first_model-1.0-py3-none-any.whl",
        "data/first.bin",
        b"another first model",
    );
    let manifest = Manifest::parse(&manifest).expect("the manifest is well formed");
    let store = Store::with(shop.path("store"), manifest).python(shop.path("python"));
    store
        .fetch(Progress::Quiet)
        .expect("both packages are there");
    let state = |states: Vec<speech::models::ModelState>| states[0].state.clone();
    assert_eq!(state(store.list()), State::Present(Proof::AsFetched));
    assert_eq!(state(store.verify()), State::Present(Proof::AsFetched));
    fs::write(shop.path("store/a/first.bin"), b"another f1rst model").expect("the file is ours");
    assert!(matches!(state(store.verify()), State::Broken(_)));
}

#[test]
fn the_users_models_are_what_the_manifest_says() {
    let store = crate::kit::models();
    for model in store.verify() {
        println!("{} {} {:?}", model.name, model.source, model.state);
        assert!(matches!(model.state, State::Present(_)), "{}", model.name);
    }
}

#[test]
fn scripts_do_not_hold_paths_of_this_machine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let home = std::env::var("HOME").unwrap_or_else(|_| "/home/".to_owned());
    for name in ["manifest.toml", "moonshine.py", "piper.py"] {
        let text = fs::read_to_string(root.join(name)).expect("the file is in the source");
        assert!(!text.contains("/home/") && !text.contains(&home), "{name}");
    }
}

/// Knows `pip download`; everything else is the real Python's.
const PIP: &str = r#"#!/bin/sh
if [ "$1 $2" != "-m pip" ]; then exec python3 "$@"; fi
if [ "$3" = "--version" ]; then echo "pip 1 from nowhere"; exit 0; fi
dest=""
while [ $# -gt 0 ]; do
  case "$1" in --dest) dest="$2"; shift;; esac
  last="$1"; shift
done
echo "$last" >> "SHOP/log"
name=$(echo "$last" | sed 's/==/-/; s/-model/_model/')
mkdir -p "$dest"
cp "SHOP/packages/$name-py3-none-any.whl" "$dest/" || { echo "no such package" >&2; exit 1; }
"#;

const MANIFEST: &str = r#"
[[model]]
name = "first"
purpose = "comes first"
licence = "MIT"
package = "first-model"
version = "1.0"
download = 100

[[model.file]]
inside = "data/first.bin"
keep = "a/first.bin"
size = 15
sha256 = "21d0ff470100a9965a8a07ecd0d993d9bf0943884fb43b0ac273ae0a6366a39f"

[[model]]
name = "second"
purpose = "comes second"
licence = "MIT"
package = "second-model"
version = "2.0"
download = 100

[[model.file]]
inside = "data/sec*"
keep = "second.bin"
size = 16
sha256 = "b8c73f04de532720fa097cebaac1703ac351b0e5bbbe0f8e9d42842aac2fff49"
"#;
