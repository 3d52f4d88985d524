//! Just enough of a shell to see which commands a step's script runs, with which words.

use std::collections::BTreeMap;

/// A simple command: its words after expansion, and the file that its output goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    pub words: Vec<String>,
    pub output: Option<String>,
}

/// Variables and positional parameters (`1`, `2`, …).
pub type Variables = BTreeMap<String, String>;

/// Splits a script into simple commands, in order, whatever the control flow around them. Assignments take
/// effect for what follows; command substitutions stay as they are.
pub fn commands(script: &str, variables: &mut Variables) -> Vec<Command> {
    let mut reader = Reader {
        rest: script.chars().collect::<Vec<_>>().into_iter().peekable(),
        found: Vec::new(),
        command: Command::default(),
        word: None,
        redirect: false,
        variables,
    };
    reader.read();
    reader.found
}

const KEYWORDS: [&str; 11] = [
    "if", "then", "else", "elif", "do", "while", "until", "!", "exec", "time", "command",
];

struct Reader<'a> {
    rest: std::iter::Peekable<std::vec::IntoIter<char>>,
    found: Vec<Command>,
    command: Command,
    word: Option<String>,
    redirect: bool,
    variables: &'a mut Variables,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => {
                    let next = self.rest.next();
                    if let Some(next) = next.filter(|n| *n != '\n') {
                        self.push(next);
                    }
                }
                '\'' => self.single(),
                '"' => self.double(),
                '$' => self.dollar(false),
                '#' if self.word.is_none() => while self.rest.next_if(|c| *c != '\n').is_some() {},
                ' ' | '\t' => self.end_word(),
                '\n' | ';' | '|' | '&' | '(' | ')' => self.separator(c),
                '>' => self.greater(),
                '<' => {
                    self.end_word();
                    self.rest.next_if_eq(&'<');
                    self.skip_word();
                }
                c => self.push(c),
            }
        }
        self.end_command();
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_with(String::new).push(c);
    }

    fn single(&mut self) {
        self.word.get_or_insert_with(String::new);
        while let Some(c) = self.rest.next().filter(|c| *c != '\'') {
            self.push(c);
        }
    }

    fn double(&mut self) {
        self.word.get_or_insert_with(String::new);
        while let Some(c) = self.rest.next() {
            match c {
                '"' => return,
                '\\' => match self.rest.next() {
                    Some('\n') | None => {}
                    Some(next) => {
                        if !matches!(next, '"' | '\\' | '$' | '`') {
                            self.push('\\');
                        }
                        self.push(next);
                    }
                },
                '$' => self.dollar(true),
                c => self.push(c),
            }
        }
    }

    fn dollar(&mut self, quoted: bool) {
        match self.rest.peek().copied() {
            Some('{') => {
                self.rest.next();
                let mut inside = String::new();
                while let Some(c) = self.rest.next().filter(|c| *c != '}') {
                    inside.push(c);
                }
                let at = inside
                    .find([':', '-', '?', '+', '%', '#'])
                    .unwrap_or(inside.len());
                let (name, rest) = inside.split_at(at);
                let default = rest.strip_prefix(":-").or_else(|| rest.strip_prefix('-'));
                let known = self.variables.get(name).filter(|v| !v.is_empty());
                let value = known.map_or_else(|| default.unwrap_or_default().to_owned(), Clone::clone);
                self.insert(&value, quoted);
            }
            Some('(') => {
                let mut depth = 0;
                self.push('$');
                while let Some(c) = self.rest.next() {
                    depth += i32::from(c == '(') - i32::from(c == ')');
                    self.push(c);
                    if depth == 0 {
                        return;
                    }
                }
            }
            Some(c) if c.is_ascii_digit() || "@*#?!-".contains(c) => {
                self.rest.next();
                let value = self.variables.get(&c.to_string()).cloned().unwrap_or_default();
                self.insert(&value, quoted);
            }
            _ => {
                let mut name = String::new();
                while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                }
                if name.is_empty() {
                    self.push('$');
                } else {
                    let value = self.variables.get(&name).cloned().unwrap_or_default();
                    self.insert(&value, quoted);
                }
            }
        }
    }

    fn insert(&mut self, value: &str, quoted: bool) {
        if quoted || !value.is_empty() {
            self.word.get_or_insert_with(String::new).push_str(value);
        }
    }

    fn greater(&mut self) {
        // A file descriptor before it is no word.
        if self
            .word
            .as_deref()
            .is_some_and(|w| w.len() == 1 && w.starts_with(|c: char| c.is_ascii_digit()))
        {
            self.word = None;
        }
        self.end_word();
        self.rest.next_if_eq(&'>');
        if self.rest.next_if_eq(&'&').is_some() {
            self.skip_word();
        } else {
            while self.rest.next_if(|c| *c == ' ').is_some() {}
            self.redirect = true;
        }
    }

    fn skip_word(&mut self) {
        while self.rest.next_if(|c| *c == ' ').is_some() {}
        while self.rest.next_if(|c| !c.is_whitespace() && *c != ';').is_some() {}
    }

    fn separator(&mut self, c: char) {
        self.rest.next_if_eq(&c);
        self.end_command();
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        if std::mem::take(&mut self.redirect) {
            self.command.output = Some(word);
        } else if !(self.command.words.is_empty() && KEYWORDS.contains(&word.as_str())) {
            self.command.words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        let mut command = std::mem::take(&mut self.command);
        let assigns = |w: &String| {
            w.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            })
        };
        if matches!(
            command.words.first().map(String::as_str),
            Some("export" | "local" | "readonly")
        ) {
            command.words.remove(0);
        }
        while command.words.first().is_some_and(assigns) {
            let word = command.words.remove(0);
            if let Some((name, value)) = word.split_once('=') {
                self.variables.insert(name.to_owned(), value.to_owned());
            }
        }
        if !command.words.is_empty() {
            self.found.push(command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(script: &str) -> Vec<Vec<String>> {
        let mut variables: Variables = [("TOKEN".to_owned(), "s3 cret".to_owned())].into();
        commands(script, &mut variables)
            .into_iter()
            .map(|c| c.words)
            .collect()
    }

    #[test]
    fn scripts_are_read_as_a_shell_reads_them() {
        let cases: [(&str, &[&[&str]]); 8] = [
            ("docker build -t x .", &[&["docker", "build", "-t", "x", "."]]),
            (
                "set -e; a && b || c | d",
                &[&["set", "-e"], &["a"], &["b"], &["c"], &["d"]],
            ),
            (
                "a \\\n  --b 'c d' \"$TOKEN\"  # no\nb",
                &[&["a", "--b", "c d", "s3 cret"], &["b"]],
            ),
            ("if a; then b; fi", &[&["a"], &["b"], &["fi"]]),
            ("X=1 Y=${X:-2} run ${Z:-3}$X", &[&["run", "3"]]),
            ("m=$1\nuse \"$m\"", &[&["use", ""]]),
            ("a 2>&1 >/tmp/f <in", &[&["a"]]),
            ("a \"$(cat /x; y)\" ''", &[&["a", "$(cat /x; y)", ""]]),
        ];
        for (script, expected) in cases {
            assert_eq!(words(script), expected, "{script}");
        }
    }

    #[test]
    fn a_redirection_names_the_file() {
        let mut variables = Variables::new();
        let found = commands("printf %s abc > /tmp/token", &mut variables);
        assert_eq!(found[0].output.as_deref(), Some("/tmp/token"));
        assert_eq!(found[0].words, ["printf", "%s", "abc"]);
    }
}
