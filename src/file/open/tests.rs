use std::os::unix::fs::symlink;

use nix::unistd::mkfifo;

use super::*;

const MOST: u64 = 1 << 20;

/// A checkout with a file at its top and in a folder, beside a file outside.
struct Checkout {
    whole: tempfile::TempDir,
}

impl Checkout {
    fn new() -> Self {
        let whole = tempfile::tempdir().unwrap();
        for folder in ["checkout/a/b", "checkout/.git", "checkout/sub/.GIT"] {
            std::fs::create_dir_all(whole.path().join(folder)).unwrap();
        }
        let checkout = Self { whole };
        for file in [
            "outside",
            "checkout/top",
            "checkout/a/b/deep",
            "checkout/.git/config",
            "checkout/sub/.GIT/config",
            "checkout/gha-creds.json",
        ] {
            std::fs::write(checkout.at(file), "text").unwrap();
        }
        checkout
    }

    fn at(&self, path: &str) -> PathBuf {
        self.whole.path().join(path)
    }

    fn read(&self, path: &str) -> io::Result<String> {
        let reach = Reach::Below {
            folder: self.at("checkout"),
            credentials: vec![self.at("checkout/gha-creds.json"), self.at("missing")],
        };
        text(&self.at("checkout").join(path), &reach, MOST)
    }

    #[track_caller]
    fn refuses(&self, path: &str, why: &str) {
        let error = self.read(path).unwrap_err().to_string();
        assert!(error.contains(why), "{path}: {error}");
    }
}

#[test]
fn a_plain_file_of_the_checkout_is_read() {
    let checkout = Checkout::new();
    for path in ["top", "a/b/deep", "./a/../top", "a/b/../../top"] {
        assert_eq!(checkout.read(path).unwrap(), "text", "{path}");
    }
    // The checkout's own folder may be a link, as a temporary one is on macOS.
    symlink(checkout.at("checkout"), checkout.at("link")).unwrap();
    let reach = Reach::below(checkout.at("link"), &Environment::default());
    for path in ["link/top", "checkout/top"] {
        assert_eq!(text(&checkout.at(path), &reach, MOST).unwrap(), "text", "{path}");
    }
    let error = checkout.read("none").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn nothing_else_is_read_in_a_checkout() {
    let checkout = Checkout::new();
    for (link, target) in [
        ("to-file", checkout.at("checkout/top")),
        ("to-outside", checkout.at("outside")),
        ("to-nothing", checkout.at("nothing")),
        ("to-device", "/dev/zero".into()),
        ("to-itself", "to-itself".into()),
        ("to-git", ".git/config".into()),
        ("to-environ", "/proc/self/environ".into()),
    ] {
        symlink(target, checkout.at("checkout").join(link)).unwrap();
        checkout.refuses(link, "it is a symbolic link");
    }
    symlink(checkout.at("checkout/a"), checkout.at("checkout/folder")).unwrap();
    symlink("..", checkout.at("checkout/up")).unwrap();
    for path in ["folder/b/deep", "up/outside", "up/checkout/top"] {
        checkout.refuses(path, "there is a symbolic link in its path");
    }
    for path in ["../outside", "/etc/passwd", "", ".", "a/../.."] {
        checkout.refuses(path, "outside of the checkout");
    }
    for path in [".git/config", "sub/.GIT/config", ".git"] {
        checkout.refuses(path, "in the folder `.git`");
    }
    checkout.refuses("gha-creds.json", "it holds credentials");
    checkout.refuses("a", "it is a folder");
    checkout.refuses("top/x", "Not a directory");
}

#[test]
fn what_never_ends_or_waits_is_read_nowhere() {
    let checkout = Checkout::new();
    mkfifo(&checkout.at("checkout/pipe"), Mode::S_IRWXU).unwrap();
    let large = File::create(checkout.at("checkout/large")).unwrap();
    large.set_len(MOST + 1).unwrap();
    checkout.refuses("pipe", "it is no regular file");
    checkout.refuses("large", "it is larger than 1 MiB");
    large.set_len(MOST).unwrap();
    assert_eq!(checkout.read("large").unwrap().len() as u64, MOST);
    for path in [
        "/dev/zero".into(),
        "/dev/stdin".into(),
        checkout.at("checkout/pipe"),
        "/".into(),
    ] {
        let error = text(&path, &Reach::Anywhere, MOST).unwrap_err();
        assert!(error.to_string().starts_with("it is "), "{path:?}: {error}");
    }
    assert_eq!(
        text(&checkout.at("outside"), &Reach::Anywhere, MOST).unwrap(),
        "text"
    );
}

#[tokio::test]
async fn a_text_that_is_no_utf_8_is_refused() {
    let checkout = Checkout::new();
    std::fs::write(checkout.at("latin"), b"caf\xe9").unwrap();
    let latin = checkout.at("latin");
    let error = read_text(&latin, &Reach::Anywhere, MOST).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}
