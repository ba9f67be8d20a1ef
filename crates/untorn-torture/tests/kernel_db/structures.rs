//! The commands that lead to every structure of a volume, found by following its pointers.

use serde_json::Value;
use untorn_db::Session;
use untorn_format::{AgBlock, AgIno, AgNumber};

/// Trees of an AG: header, field of the root, type of the blocks.
const TREES: [(&str, &str, &str); 6] = [
    ("agf", "bnoroot", "bnobt"),
    ("agf", "cntroot", "cntbt"),
    ("agf", "rmaproot", "rmapbt"),
    ("agf", "refcntroot", "refcntbt"),
    ("agi", "root", "inobt"),
    ("agi", "free_root", "finobt"),
];

/// Commands for each structure.
pub fn all(session: &mut Session<'_>) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for ag in 0..session.shape().geometry.ag_count {
        found.extend(["sb", "agf", "agi", "agfl"].map(|kind| shown(&[&format!("{kind} {ag}")])));
        for (header, root, kind) in TREES {
            let root = ask(session, &[&format!("{header} {ag}"), &format!("p {root}")]);
            if let Some(root) = numbers(&root).next().filter(|&root| root > 0) {
                tree(session, AgNumber(ag), root, kind, &mut found);
            }
        }
    }
    let inodes: Vec<_> = found.iter().filter(|c| c.iter().any(|c| c == "type inobt")).collect();
    let leaves: Vec<Vec<String>> = inodes.into_iter().cloned().collect();
    for leaf in leaves {
        chunks(session, &leaf, &mut found);
    }
    found
}

/// The commands, and `print`.
fn shown(commands: &[&str]) -> Vec<String> {
    commands.iter().chain(&["p"]).map(|&command| command.to_owned()).collect()
}

/// What the last of the commands says; null where one is refused.
fn ask(session: &mut Session<'_>, commands: &[&str]) -> Value {
    let mut last = Value::Null;
    for command in commands {
        match session.run(command) {
            Ok(answer) => last = answer.json,
            Err(_) => return Value::Null,
        }
    }
    last
}

/// All numbers in an answer.
fn numbers(answer: &Value) -> Box<dyn Iterator<Item = u64> + '_> {
    match answer {
        Value::Object(map) => Box::new(map.values().flat_map(numbers)),
        other => Box::new(other.as_u64().into_iter()),
    }
}

fn tree(
    session: &mut Session<'_>,
    ag: AgNumber,
    block: u64,
    kind: &str,
    found: &mut Vec<Vec<String>>,
) {
    let fsb = session.shape().geometry.fs_block(ag, AgBlock(block as u32));
    let (go, read) = (format!("fsblock {fsb}"), format!("type {kind}"));
    found.push(shown(&[&go, &read]));
    let below = ask(session, &[&go, &read, "p ptrs"]);
    numbers(&below).for_each(|child| tree(session, ag, child, kind, found));
}

/// The inodes of the chunks in a leaf of an inobt, and what belongs to them.
fn chunks(session: &mut Session<'_>, leaf: &[String], found: &mut Vec<Vec<String>>) {
    let commands = [leaf[0].as_str(), leaf[1].as_str(), "p recs"];
    let Value::Object(tables) = ask(session, &commands) else { return };
    let geometry = session.shape().geometry.clone();
    let fsb = leaf[0].trim_start_matches("fsblock ").parse().unwrap();
    let (ag, _) = geometry.split(untorn_format::FsBlock(fsb)).unwrap();
    for row in tables.values().flat_map(|table| table.as_object().unwrap().values()) {
        let start = row["startino"].as_u64().unwrap() as u32;
        let holes = row.get("holemask").and_then(Value::as_u64).unwrap_or(0);
        for index in (0..64).filter(|index| holes >> (index / 4) & 1 == 0) {
            inode(session, geometry.ino(ag, AgIno(start + index)).0, found);
        }
    }
}

fn inode(session: &mut Session<'_>, ino: u64, found: &mut Vec<Vec<String>>) {
    let go = format!("inode {ino}");
    found.push(shown(&[&go]));
    let mode = numbers(&ask(session, &[&go, "p core.mode"])).next().unwrap_or(0) & 0o170_000;
    for (pointers, kind) in [("u3.bmbt.ptrs", "bmapbtd"), ("a.bmbt.ptrs", "bmapbta")] {
        let below = ask(session, &[&go, &format!("p {pointers}")]);
        numbers(&below).for_each(|block| extents(session, block, kind, found));
    }
    if mode == 0o040_000 || mode == 0o120_000 {
        blocks(session, &go, "dblock", "bmap -d", found);
    }
    blocks(session, &go, "ablock", "bmap -a", found);
}

fn extents(session: &mut Session<'_>, block: u64, kind: &str, found: &mut Vec<Vec<String>>) {
    let (go, read) = (format!("fsblock {block}"), format!("type {kind}"));
    found.push(shown(&[&go, &read]));
    let below = ask(session, &[&go, &read, "p ptrs"]);
    numbers(&below).for_each(|child| extents(session, child, kind, found));
}

/// Every block of a fork that starts a block of its structure.
fn blocks(
    session: &mut Session<'_>,
    go: &str,
    command: &str,
    map: &str,
    found: &mut Vec<Vec<String>>,
) {
    session.run(go).unwrap();
    let step = match command {
        "dblock" => 1 << session.shape().geometry.dir_block_log,
        _ => 1,
    };
    for line in session.run(map).unwrap().text.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let (first, count): (u64, u64) = (words[2].parse().unwrap(), words[7].parse().unwrap());
        for block in (first..first + count).filter(|block| block % step == 0) {
            found.push(shown(&[go, &format!("{command} {block}")]));
        }
    }
}
