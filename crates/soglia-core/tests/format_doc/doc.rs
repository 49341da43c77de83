//! Reads the tables of the document.

pub const DOC: &str = include_str!("../../../../docs/format.md");

/// The cells of the table rows after the heading or the head row that begins so.
pub fn rows(after: &str) -> Vec<Vec<String>> {
    let from = DOC
        .find(&format!("\n{after}"))
        .unwrap_or_else(|| panic!("{after} is missing"));
    let lines = DOC[from + 1..].lines().skip(1);
    let table = lines
        .skip_while(|line| !line.starts_with("| --- "))
        .skip(1)
        .take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let inner = line.trim_matches('|').split('|');
        inner
            .map(|c| c.trim().trim_matches('`').to_owned())
            .collect()
    };
    table.map(cells).collect()
}

/// The fields of a structure: offset, size and name.
pub fn fields(structure: &str) -> Vec<(usize, usize, String)> {
    let number = |cell: &str| cell.parse().unwrap();
    rows(&format!("### {structure}, "))
        .into_iter()
        .map(|row| (number(&row[0]), number(&row[1]), row[2].clone()))
        .collect()
}

/// Where a field lies, and how long it is.
pub fn field(structure: &str, name: &str) -> (usize, usize) {
    let found = fields(structure).into_iter().find(|field| field.2 == name);
    let (offset, size, _) = found.unwrap_or_else(|| panic!("{structure}.{name}"));
    (offset, size)
}
