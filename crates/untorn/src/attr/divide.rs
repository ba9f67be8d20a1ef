//! How the attributes of a full leaf are divided.

use untorn_format::attr::leaf_edit::Entry;

/// Divides `entries`, which are more than `room` bytes hold though each is less, into two pieces
/// or, where that cannot be, three; each fits `room`. Names of one hash stay together where they
/// can: xfs_repair takes them for damage in two leaves. Then the pieces are as equal as they
/// can be.
pub(super) fn divide(entries: Vec<Entry>, room: usize) -> Vec<Vec<Entry>> {
    let total: usize = entries.iter().map(Entry::size).sum();
    let mut best: Option<((bool, usize), usize)> = None;
    let mut before = 0;
    for (cut, pair) in (1..).zip(entries.windows(2)) {
        let [last, next] = pair else { continue };
        before += last.size();
        let after = total - before;
        let rank = (last.hash == next.hash, before.abs_diff(after));
        let better = best.is_none_or(|(other, _)| rank < other);
        if before <= room && after <= room && better {
            best = Some((rank, cut));
        }
    }
    match best {
        Some((_, cut)) => {
            let (left, right) = entries.split_at(cut);
            vec![left.to_vec(), right.to_vec()]
        }
        None => one_after_another(entries, room),
    }
}

/// Fills piece after piece.
fn one_after_another(entries: Vec<Entry>, room: usize) -> Vec<Vec<Entry>> {
    let mut pieces: Vec<Vec<Entry>> = Vec::new();
    let mut left = 0;
    for entry in entries {
        assert!(entry.size() <= room, "an attribute fits a leaf");
        match pieces.last_mut().filter(|_| entry.size() <= left) {
            Some(piece) => {
                left -= entry.size();
                piece.push(entry);
            }
            None => {
                left = room - entry.size();
                pieces.push(vec![entry]);
            }
        }
    }
    pieces
}
