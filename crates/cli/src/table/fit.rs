//! A table that fits a terminal: the Secret's name is the last thing to go.

/// Columns of a row, by their place.
const LEFT: usize = 2;
const RENEWED: usize = 3;
const SECRET: usize = 4;
const ACCOUNT: usize = 5;
const DETAIL: usize = 6;

/// Longest detail in a table; `-o wide` and `perennial explain` have all of it.
const DETAIL_MAX: usize = 80;
/// Room below which a detail says too little.
const DETAIL_MIN: usize = 30;
/// Between two columns.
const GAP: usize = 2;

/// What is left out for the sake of the rest, the least missed first.
const LEFT_OUT: [&[usize]; 5] = [
    &[],
    &[ACCOUNT],
    &[ACCOUNT, RENEWED],
    &[ACCOUNT, RENEWED, DETAIL],
    &[ACCOUNT, RENEWED, DETAIL, LEFT],
];

/// The same rows, heading first, with columns left out and texts cut so that they fit `width`
/// columns; without a terminal only the details are cut.
pub(super) fn fitted(mut rows: Vec<[String; 7]>, width: Option<usize>) -> Vec<Vec<String>> {
    rows.iter_mut().skip(1).for_each(|row| row[DETAIL] = cut(&row[DETAIL], DETAIL_MAX));
    let Some(width) = width else { return rows.into_iter().map(Vec::from).collect() };
    let longest = |column: usize| rows.iter().map(|row| chars(&row[column])).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(longest);
    let room_beside = |out: &[usize], flexible: usize| {
        let kept = (0..7).filter(|column| !out.contains(column) && *column != flexible);
        width.checked_sub(kept.map(|column| widths[column] + GAP).sum())
    };
    let fits = |out: &&&[usize]| match out.contains(&DETAIL) {
        true => room_beside(out, SECRET).is_some_and(|room| widths[SECRET] <= room),
        false => {
            room_beside(out, DETAIL).is_some_and(|room| widths[DETAIL].min(DETAIL_MIN) <= room)
        }
    };
    let out = LEFT_OUT.iter().find(fits).unwrap_or(&LEFT_OUT[LEFT_OUT.len() - 1]);
    let detail = room_beside(out, DETAIL).unwrap_or(0);
    let secret = match out.contains(&DETAIL) {
        true => room_beside(out, SECRET).unwrap_or(0),
        false => widths[SECRET],
    };
    let shown = |row: [String; 7]| {
        let cells = row.into_iter().enumerate().filter(|(column, _)| !out.contains(column));
        let cell = |(column, cell): (usize, String)| match column {
            DETAIL => cut(&cell, detail),
            SECRET => shortened(&cell, secret),
            _ => cell,
        };
        cells.map(cell).collect()
    };
    rows.into_iter().map(shown).collect()
}

/// NAMESPACE/NAME with as much of the end of the namespace as there is room for: shoots of one
/// project begin alike.
fn shortened(secret: &str, room: usize) -> String {
    let Some((namespace, name)) = secret.split_once('/') else { return secret.to_owned() };
    let namespace_room = room.saturating_sub(chars(name) + 2); // "…" and "/"
    match chars(namespace) {
        length if length + 1 + chars(name) <= room => secret.to_owned(),
        length => {
            let end: String = namespace.chars().skip(length - namespace_room.min(length)).collect();
            format!("…{end}/{name}")
        }
    }
}

fn cut(text: &str, room: usize) -> String {
    if chars(text) <= room {
        return text.to_owned();
    }
    let begin: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{}…", begin.trim_end())
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(detail: &str) -> Vec<[String; 7]> {
        let row = |cells: [&str; 7]| cells.map(str::to_owned);
        vec![
            row(["STATE", "NEXT", "LEFT", "RENEWED", "SECRET", "ACCOUNT", "DETAIL"]),
            row([
                "waiting-for-shoot",
                "7h12m",
                "9h36m",
                "2h24m ago, due",
                "shoot--lab--1/shoot-access-kube-scheduler",
                "kube-system/kube-scheduler",
                detail,
            ]),
        ]
    }

    fn line(detail: &str, width: usize) -> String {
        fitted(rows(detail), Some(width))[1].join("  ")
    }

    #[test]
    fn the_name_of_a_secret_is_seen_on_every_terminal() {
        let detail = "the shoot is not reached: connection refused by its API server";
        for width in [60, 80, 100, 120, 160, 240] {
            let line = line(detail, width);
            assert!(line.contains("/shoot-access-kube-scheduler"), "{width}: {line}");
            assert!(chars(&line) <= width, "{width}: {line}");
        }
        assert!(line(detail, 80).contains("shoot--lab--1/"), "{}", line(detail, 80));
        assert!(line(detail, 120).contains("the shoot is not reached"), "{}", line(detail, 120));
        assert!(line("", 140).contains("kube-system/kube-scheduler"), "{}", line("", 140));
    }

    #[test]
    fn the_end_of_a_namespace_is_kept() {
        assert_eq!(shortened("shoot--lab--12/etcd", 12), "…ab--12/etcd".to_owned());
        assert_eq!(shortened("shoot--lab--12/etcd", 3), "…/etcd");
    }

    #[test]
    fn without_a_terminal_only_the_detail_is_cut() {
        let row = fitted(rows(&"x".repeat(400)), None).remove(1);
        assert_eq!((row.len(), chars(&row[DETAIL])), (7, DETAIL_MAX));
        assert!(row[DETAIL].ends_with('…'));
    }
}
