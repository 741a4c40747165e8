//! Which configuration files of MCP clients concern a working folder.

use std::path::{Path, PathBuf};

/// The files of one project, in the order in which they are asked.
const IN_PROJECT: [&str; 3] = [".mcp.json", ".vscode/mcp.json", ".cursor/mcp.json"];
/// The files of one user.
const IN_HOME: [&str; 3] = [".claude.json", ".cursor/mcp.json", ".mcp-inspector/mcp.json"];

/// The working folder and those above it, nearest first, up to the root of the repository it is in.
pub(super) fn folders(working: &Path) -> Vec<&Path> {
    let mut folders = Vec::new();
    for folder in working.ancestors() {
        folders.push(folder);
        if folder.join(".git").exists() {
            break;
        }
    }
    folders
}

/// The project's files: of each kind the nearest.
pub(super) fn of_project(folders: &[&Path]) -> Vec<PathBuf> {
    let nearest = |name: &&str| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    IN_PROJECT.iter().filter_map(nearest).collect()
}

/// The user's files.
pub(super) fn of_user(home: Option<&Path>) -> Vec<PathBuf> {
    let files = home.into_iter().flat_map(|home| IN_HOME.map(|name| home.join(name)));
    files.filter(|file| file.is_file()).collect()
}

/// Whether a file came with a project, or may have: it lies in the work tree of a repository.
pub(super) fn is_of_checkout(file: &Path) -> bool {
    // A link in a checkout is a file of the project as well, wherever it leads.
    let paths = [std::path::absolute(file), file.canonicalize()];
    paths.iter().flatten().flat_map(|path| path.ancestors().skip(1)).any(|folder| folder.join(".git").exists())
}

/// Whether two paths lead to one file.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other)
}

/// The folder that a file configures: `${workspaceFolder}`.
pub(super) fn workspace(file: &Path) -> &Path {
    let folder = file.parent().unwrap_or(file);
    let beside = folder.file_name().is_some_and(|name| name == ".vscode" || name == ".cursor");
    if beside { folder.parent().unwrap_or(folder) } else { folder }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn looks_up_to_the_root_of_the_repository() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path();
        let deep = root.join("repository/a/b");
        fs::create_dir_all(&deep).expect("made");
        fs::create_dir_all(root.join("repository/.git")).expect("made");
        fs::create_dir_all(root.join("repository/.cursor")).expect("made");
        fs::write(root.join(".mcp.json"), "{}").expect("written");
        fs::write(root.join("repository/.cursor/mcp.json"), "{}").expect("written");
        let found = of_project(&folders(&deep));
        assert_eq!(found, [root.join("repository/.cursor/mcp.json")], "not beyond the repository");
        assert_eq!(workspace(&found[0]), root.join("repository"));

        fs::write(root.join("repository/.mcp.json"), "{}").expect("written");
        fs::write(root.join("repository/a/.mcp.json"), "{}").expect("written");
        let found = of_project(&folders(&deep));
        assert_eq!(found, [root.join("repository/a/.mcp.json"), root.join("repository/.cursor/mcp.json")]);
        assert_eq!(workspace(&found[0]), root.join("repository/a"));
        assert_eq!(of_project(&folders(root)), [root.join(".mcp.json")]);
        assert_eq!(of_user(Some(root)), Vec::<PathBuf>::new());
        assert_eq!(of_user(Some(&root.join("repository"))), [root.join("repository/.cursor/mcp.json")]);
    }
}
