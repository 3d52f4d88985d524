use std::io::Read;

use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn files() -> Vec<ModelFile> {
    [
        ("config.json", 700),
        ("model-00001-of-00002.safetensors", 4_900_000_000),
        ("model-00002-of-00002.safetensors", 4_900_000_000),
    ]
    .into_iter()
    .map(|(path, bytes)| ModelFile {
        path: path.to_owned(),
        bytes,
    })
    .collect()
}

fn with<T>(files: &[ModelFile], f: impl FnOnce(&Recipe<'_>) -> T) -> T {
    f(&Recipe {
        base: "vllm/vllm-openai@sha256:1",
        model: "o/m",
        commit: COMMIT,
        files: &files.iter().collect::<Vec<_>>(),
    })
}

fn unpack(context: &[u8]) -> Vec<(String, u32, String)> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(context));
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let (name, mode) = (
            entry.path().unwrap().display().to_string(),
            entry.header().mode().unwrap(),
        );
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        (name, mode, text)
    };
    archive.entries().unwrap().map(read).collect()
}

#[test]
fn the_context_holds_four_files_and_is_the_same_each_time() {
    let pack = |files: &[ModelFile]| with(files, |r| context(r).unwrap());
    let first = pack(&files());
    let mut shuffled = files();
    shuffled.reverse();
    assert_eq!(first, pack(&shuffled));
    let names: Vec<_> = unpack(&first)
        .into_iter()
        .map(|(name, mode, _)| (name, mode))
        .collect();
    let expected = [
        ("Dockerfile", 0o644),
        ("download.sh", 0o755),
        ("entrypoint.sh", 0o755),
        ("manifest.tsv", 0o644),
    ];
    assert_eq!(names, expected.map(|(name, mode)| (name.to_owned(), mode)));
}

#[test]
fn the_dockerfile_has_one_layer_for_each_in_the_manifest() {
    let packed = with(&files(), |r| context(r).unwrap());
    let files = unpack(&packed);
    let manifest = &files[3].2;
    insta::assert_snapshot!(manifest, @"
    00	700	config.json
    01	4900000000	model-00001-of-00002.safetensors
    02	4900000000	model-00002-of-00002.safetensors
    ");
    let copied: Vec<&str> = files[0]
        .2
        .lines()
        .filter(|l| l.contains("--from=weights"))
        .collect();
    let expected = ["00", "01", "02"].map(|n| format!("COPY --link --from=weights /layers/{n}/ /"));
    assert_eq!(copied, expected);
}

#[test]
fn the_dockerfile_has_as_many_layers_as_files_are_spread_over() {
    let layers = (0..layers::LAYERS).map(|n| format!("COPY --link --from=weights /layers/{n:02}/ /\n"));
    assert!(DOCKERFILE.contains(&layers.collect::<String>()));
    assert_eq!(DOCKERFILE.matches("--from=weights").count(), layers::LAYERS);
}

#[test]
fn weights_come_before_the_entrypoint_and_the_token_is_a_mount_only() {
    let last_weights = DOCKERFILE.rfind("--from=weights").unwrap();
    assert!(last_weights < DOCKERFILE.find("entrypoint.sh /usr").unwrap());
    let instructions: Vec<&str> = DOCKERFILE.lines().filter(|l| !l.starts_with('#')).collect();
    let naming_a_token: Vec<&str> = instructions
        .into_iter()
        .filter(|l| l.to_lowercase().contains("token"))
        .collect();
    assert_eq!(
        naming_a_token,
        [r"RUN --mount=type=secret,id=hf_token,required=false \"]
    );
}

#[test]
fn the_key_changes_with_everything_that_is_baked() {
    let base = with(&files(), key);
    assert_eq!(base.len(), 16);
    assert_eq!(base, with(&files(), key));
    let mut other = files();
    other[0].bytes += 1;
    let keys = [
        with(&other, key),
        with(&files(), |r| key(&Recipe { base: "x", ..*r })),
        with(&files(), |r| key(&Recipe { model: "x", ..*r })),
        with(&files(), |r| key(&Recipe { commit: "x", ..*r })),
    ];
    assert!(!keys.contains(&base));
}

#[test]
fn a_path_that_leaves_the_folder_is_refused() {
    for path in ["../x", "/etc/x", "a\tb", "a/../b", "-rf", "a\nb", ""] {
        let mut bad = files();
        bad[0].path = path.to_owned();
        assert!(
            matches!(with(&bad, context_files), Err(Error::BadPath(_))),
            "{path:?}"
        );
    }
}

/// Downloads as the real client does: one name is a name, several are patterns.
const CLIENT: &str = r#"#!/bin/sh
env >"$ROOT/environment"
shift 2
while [ "$1" != --revision ]; do printf '%s\n' "$1"; shift; done >"$ROOT/asked"
folder=$4
count=$(wc -l <"$ROOT/asked")
while IFS= read -r file; do
    while IFS= read -r name; do
        if [ "$count" -eq 1 ]; then
            [ "$file" = "$name" ] || continue
        else
            case $file in $name) ;; *) continue ;; esac
        fi
        mkdir -p "$(dirname "$folder/$file")"
        printf 12345 >"$folder/$file"
    done <"$ROOT/asked"
done <"$ROOT/hub"
"#;

/// Runs download.sh where the hub has `hub` (5 bytes each); answers whether it succeeded, what it said, and where.
fn download(hub: &[&str], manifest: &str) -> (bool, String, tempfile::TempDir) {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    std::fs::create_dir(at("bin")).unwrap();
    // Only root may give files away.
    for (name, text) in [("bin/hf", CLIENT), ("bin/chown", "#!/bin/sh\n")] {
        std::fs::write(at(name), text).unwrap();
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (name, text) in [
        ("download.sh", DOWNLOAD),
        ("manifest.tsv", manifest),
        ("hub", &(hub.join("\n") + "\n")),
    ] {
        std::fs::write(at(name), text).unwrap();
    }
    let path = format!("{}:{}", at("bin").display(), std::env::var("PATH").unwrap());
    let output = std::process::Command::new("sh")
        .arg(at("download.sh"))
        .args(["o/m", COMMIT])
        .args([at("manifest.tsv"), at("layers")])
        .env("PATH", path)
        .env("ROOT", root.path())
        .env("HF_TOKEN_FILE", at("none"))
        // What a base image may set.
        .envs([
            ("HF_XET_HIGH_PERFORMANCE", "1"),
            ("HF_XET_HP", "1"),
            ("HF_HUB_OFFLINE", "1"),
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said, root)
}

#[test]
fn files_of_any_plain_name_are_downloaded_into_their_layers() {
    let odd = "a b/c [1]* $x.json";
    for hub in [&[odd][..], &[odd, "c.json", "model.safetensors"]] {
        let manifest: Vec<String> = hub.iter().map(|f| format!("00\t5\t{f}\n")).collect();
        let (good, said, root) = download(hub, &manifest.concat());
        assert!(good, "{said}");
        for file in hub {
            assert!(root.path().join("layers/00/model").join(file).is_file(), "{file}");
        }
        assert!(!root.path().join("layers/.download").exists());
    }
}

/// `tests/image/hf_xet.py` has real hf_xet read these variables.
#[test]
fn the_download_fits_the_smallest_builder() {
    let (good, said, root) = download(&["a"], "00\t5\ta\n");
    assert!(good, "{said}");
    let environment = std::fs::read_to_string(root.path().join("environment")).unwrap();
    let value = |name: &str| {
        let line = environment.lines().find(|l| l.starts_with(&format!("{name}=")));
        line.and_then(|l| l.split_once('=')).map(|(_, value)| value)
    };
    for unset in ["HF_XET_HIGH_PERFORMANCE", "HF_XET_HP", "HF_HUB_OFFLINE"] {
        assert_eq!(value(unset), None, "{unset}");
    }
    let bytes = |name: &str| {
        let text = value(name).unwrap_or_else(|| panic!("{name} is not set"));
        let unit = if text.ends_with("gb") {
            1_000_000_000
        } else {
            1_000_000
        };
        text.trim_end_matches(['g', 'm', 'b']).parse::<u64>().unwrap() * unit
    };
    // E2_MEDIUM, the smallest machine that `build.machine` takes, has 4 GB; BuildKit and Docker need some of it.
    assert!(bytes("HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_LIMIT") <= 1_000_000_000);
    let ranges: u64 = value("HF_XET_NUM_CONCURRENT_RANGE_GETS")
        .unwrap()
        .parse()
        .unwrap();
    assert!(ranges * 64 <= 1024, "each is a xorb of up to 64 MB");
}

#[test]
fn a_file_that_is_missing_or_of_another_size_ends_the_download() {
    let (good, said, _root) = download(&["a", "b"], "00\t5\ta\n00\t5\tc\n");
    assert!(
        !good && said.contains("c is missing after the download"),
        "{said}"
    );
    let (good, said, _root) = download(&["a", "b"], "00\t5\ta\n00\t6\tb\n");
    assert!(!good && said.contains("b has 5 bytes, expected 6"), "{said}");
}

#[test]
fn a_model_that_the_hub_calls_otherwise_keeps_the_key_of_the_configured_name() {
    let source = crate::config::Source {
        name: "llm-deploy.yaml",
        text: "project: acme-llm\nregion: europe-west4\nmodel: old-owner/model\n",
    };
    let config = crate::config::resolve(Some(source), &[]).unwrap();
    let key_of = |id: &str| {
        let found = ModelFiles {
            id: id.to_owned(),
            commit: COMMIT.to_owned(),
            files: files(),
            gated: false,
            architectures: Vec::new(),
            license: None,
        };
        key(&Recipe::of(&config.models[0], &found, &found.wanted()))
    };
    assert_eq!(key_of("old-owner/model"), key_of("New-Owner/Model"));
}
