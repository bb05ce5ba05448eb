//! External programs and scripts that the tests use. If one is missing, the test fails and says what to install.

use std::path::{Path, PathBuf};

/// The path of an external program, from `tests/tools` or from this machine.
pub fn tool(name: &str) -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools");
    let own = match name {
        "python3" => Some(tools.join("venv/bin/python3")),
        "ul" | "envoy" | "schemathesis" => Some(tools.join("venv/bin").join(name)),
        "libfaketime.so.1" => {
            let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
            libraries.map(|entry| entry.path().join("faketime").join(name)).find(|path| path.is_file())
        }
        _ => None,
    };
    let path = own.unwrap_or_else(|| on_path(name).unwrap_or_else(|| PathBuf::from(name)));
    assert!(path.exists(), "this test needs {name}, which is missing. Run: ./dev tools");
    path
}

fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// A script under `tests/`.
pub fn tool_script(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    assert!(path.is_file(), "{} is missing", path.display());
    path
}
