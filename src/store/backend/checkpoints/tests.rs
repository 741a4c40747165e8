use std::path::Path;
use std::sync::mpsc;

use super::*;

const SOON: Duration = Duration::from_mins(1);
/// A log that has grown so far gives its space back.
const HUGE: u64 = 3 * LARGE_BYTES;

fn target(path: &Path) -> SqliteTarget {
    SqliteTarget { path: path.to_owned(), vfs: None, sync_full: false, read_only: false, own_checkpoints: true }
}

fn connect(path: &Path) -> Connection {
    let connection = target(path).connect().expect("a connection");
    connection.pragma_update(None, "journal_mode", "wal").expect("a log");
    connection
}

fn fill(writer: &Connection, pages: i64) {
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
                INSERT INTO t SELECT randomblob(4000) FROM n";
    writer.execute_batch("CREATE TABLE IF NOT EXISTS t (b BLOB)").expect("a table");
    writer.execute(rows, [pages]).expect("rows");
}

fn begin_reading(reader: &Connection) {
    reader.execute_batch("BEGIN").expect("begun");
    reader.query_row("SELECT COUNT(*) FROM t", [], |_| Ok(())).expect("a look");
}

struct Scene {
    _folder: tempfile::TempDir,
    writer: Connection,
    reader: Connection,
    gate: Gate,
    checkpoints: Checkpoints,
}

fn scene() -> Scene {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db");
    let lock = Arc::new(FileLock::take(&path).expect("a file"));
    let (writer, reader, gate) = (connect(&path), connect(&path), Gate::default());
    let log = path.with_file_name("db-wal");
    let checkpoints = Checkpoints::new(&target(&path), gate.clone(), log, lock).expect("checkpoints");
    Scene { _folder: folder, writer, reader, gate, checkpoints }
}

#[test]
fn writers_never_wait_while_much_is_to_be_moved() {
    let Scene { _folder, writer, reader, gate, mut checkpoints } = scene();
    fill(&writer, 100);
    begin_reading(&reader);
    fill(&writer, MANY_PAGES + 100);
    // Somebody writes: whoever asks for a turn has to wait.
    let turn = gate.try_lock().expect("free");
    let (looks, seen) = mpsc::channel();
    let looking = std::thread::spawn(move || {
        for _ in 0..3 {
            looks.send(checkpoints.move_and_empty(HUGE).expect("a look")).expect("watched");
        }
        checkpoints
    });
    assert_eq!(seen.recv_timeout(SOON), Ok(Log::Moved), "a reader is at the beginning of much");
    assert_eq!(seen.recv_timeout(SOON), Ok(Log::Held { large: false }), "and stays there");
    assert_eq!(seen.recv_timeout(SOON), Ok(Log::Held { large: false }));
    let mut checkpoints = looking.join().expect("looked");
    reader.execute_batch("ROLLBACK").expect("over");
    drop(turn);
    assert_eq!(checkpoints.move_and_empty(HUGE).expect("a look"), Log::Emptied);
    assert_eq!(checkpoints.size(), 0);
}

#[test]
fn a_small_log_is_moved_now_and_then() {
    let Scene { _folder: folder, writer, reader, mut checkpoints, .. } = scene();
    fill(&writer, 1);
    let alone = |checkpoints: &mut Checkpoints| {
        checkpoints.run(checkpoints.size());
        let path = folder.path().join("alone");
        std::fs::copy(folder.path().join("db"), &path).expect("copied");
        connect(&path).query_row("SELECT COUNT(*) FROM t", [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    assert_eq!(alone(&mut checkpoints), 1, "the file alone has it");
    fill(&writer, 1);
    assert_eq!(alone(&mut checkpoints), 1, "not at each look");
    checkpoints.small = checkpoints.small.and_then(|(log, at)| Some((log, at.checked_sub(SMALL_EVERY)?)));
    assert_eq!(alone(&mut checkpoints), 2, "within a minute");
    drop(reader);
}

/// Where there is always some reader, none of them long, a log is never begun anew unless they are waited for.
#[test]
fn a_reader_at_the_end_of_a_full_log_is_waited_for() {
    let Scene { _folder, writer, reader, gate, mut checkpoints } = scene();
    fill(&writer, 100);
    begin_reading(&reader);
    fill(&writer, 10);
    assert_eq!(checkpoints.move_and_empty(HUGE).expect("a look"), Log::Moved, "there is time");
    reader.execute_batch("ROLLBACK").expect("over");
    fill(&writer, MANY_PAGES);
    begin_reading(&reader);
    fill(&writer, 10);
    checkpoints.connection.busy_timeout(SOON).expect("patience");
    let looking = std::thread::spawn(move || checkpoints.move_and_empty(HUGE).expect("a look"));
    // It has its turn, and waits.
    while gate.try_lock().is_ok() && !looking.is_finished() {
        std::thread::yield_now();
    }
    reader.execute_batch("ROLLBACK").expect("over");
    assert_eq!(looking.join().expect("looked"), Log::Emptied);
}
