//! Where the body of a routine, a trigger or an event ends. The driver lets a server carry out
//! several statements at once, so that none may follow it before the delimiter.
//!
//! Servers that can prepare such a statement (MariaDB from 10.6 on) are asked to, and take one only.
//! For the others this is the only look at it: a block is open only where the server's own grammar
//! has a statement begin, so that no name or expression is taken for one.

use super::kind::Object;
use super::modes::Modes;
use super::tokens::{Token, tokens};

/// Words behind the parameters of a routine that are not of its body yet.
const CHARACTERISTICS: [&str; 20] = [
    "ASCII",
    "BINARY",
    "BYTE",
    "CONTAINS",
    "DATA",
    "DEFINER",
    "DETERMINISTIC",
    "INVOKER",
    "MODIFIES",
    "NO",
    "NOT",
    "PRECISION",
    "READS",
    "SECURITY",
    "SIGNED",
    "SQL",
    "UNICODE",
    "UNSIGNED",
    "VARYING",
    "ZEROFILL",
];
/// Those that have one word behind them.
const WITH_ONE: [&str; 5] = ["CHARSET", "COLLATE", "COMMENT", "LANGUAGE", "SET"];

/// Whether only a server can tell where the body ends: it is in another dialect.
pub(in crate::restore) fn is_foreign(sql: &[u8], modes: &Modes) -> bool {
    let is_package = |word: Token| word.is("PACKAGE");
    modes.is_oracle() || tokens(sql, modes).take(12).any(is_package)
}

/// Whether the body of `object` is followed by another statement. What [`is_foreign`] is not told.
pub(super) fn goes_on(sql: &[u8], object: Object, modes: &Modes) -> bool {
    if is_foreign(sql, modes) {
        return false;
    }
    let words: Vec<Token> = tokens(sql, modes).collect();
    if !words.contains(&Token::Sign(b';')) {
        return false;
    }
    match body(&words, object) {
        Some(at) => Blocks::of(&words[at..]).go_on(),
        None => true,
    }
}

/// Where the body begins.
fn body(words: &[Token], object: Object) -> Option<usize> {
    match object {
        Object::View => None,
        Object::Trigger => {
            let row = |three: &[Token]| three[0].is("FOR") && three[1].is("EACH");
            let at = words.windows(3).position(row)? + 3;
            let follows = words.get(at)?;
            let follows = follows.is("FOLLOWS") || follows.is("PRECEDES");
            Some(if follows { at + 2 } else { at })
        }
        Object::Event => {
            let mut depth = 0_i32;
            let at = words.iter().position(|word| {
                depth += i32::from(*word == Token::Sign(b'('));
                depth -= i32::from(*word == Token::Sign(b')'));
                depth == 0 && word.is("DO")
            })?;
            Some(at + 1)
        }
        Object::Routine => {
            let is_kind = |word: &Token| word.is("PROCEDURE") || word.is("FUNCTION");
            let kind = words.iter().position(is_kind)?;
            let open = kind + words[kind..].iter().position(|w| *w == Token::Sign(b'('))?;
            Some(past_characteristics(words, past_brackets(words, open)))
        }
    }
}

/// Behind the bracket that closes the one at `at`.
fn past_brackets(words: &[Token], mut at: usize) -> usize {
    let mut depth = 0_i32;
    while let Some(word) = words.get(at) {
        at += 1;
        depth += i32::from(*word == Token::Sign(b'('));
        depth -= i32::from(*word == Token::Sign(b')'));
        if depth == 0 {
            break;
        }
    }
    at
}

fn past_characteristics(words: &[Token], mut at: usize) -> usize {
    while let Some(word) = words.get(at) {
        let is_any = |any: &[&str]| any.iter().any(|any| word.is(any));
        if word.is("RETURNS") {
            at += 2;
            if words.get(at) == Some(&Token::Sign(b'(')) {
                at = past_brackets(words, at);
            }
        } else if word.is("CHARACTER") || is_any(&CHARACTERISTICS) {
            at += 1;
        } else if is_any(&WITH_ONE) && !sets(words, at) {
            at += 2;
        } else {
            break;
        }
    }
    at
}

/// Whether it is the statement `SET` and not the end of `CHARACTER SET`.
fn sets(words: &[Token], at: usize) -> bool {
    let before = at.checked_sub(1).map(|at| &words[at]);
    words[at].is("SET") && !before.is_some_and(|before| before.is("CHARACTER"))
}

/// What is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Begin,
    /// The statements of `IF` and `CASE` begin behind `THEN` and `ELSE`.
    Choice,
    /// Those of `WHILE` and `FOR` behind `DO`.
    Counted,
    /// Those of `LOOP` and `REPEAT` at once.
    Loop,
    /// The condition of `REPEAT`, behind its statements.
    Until,
    /// `CASE` in an expression, which holds no statements.
    Expression,
}

/// Follows the blocks of a body.
struct Blocks<'w, 'a> {
    words: &'w [Token<'a>],
    open: Vec<Block>,
    at: usize,
}

impl<'w, 'a> Blocks<'w, 'a> {
    fn of(words: &'w [Token<'a>]) -> Blocks<'w, 'a> {
        Blocks {
            words,
            open: Vec::new(),
            at: 0,
        }
    }

    fn is(&self, at: usize, keyword: &str) -> bool {
        self.words.get(at).is_some_and(|word| word.is(keyword))
    }

    fn top(&self) -> Option<Block> {
        self.open.last().copied()
    }

    /// Whether something follows the body, or it does not end.
    fn go_on(mut self) -> bool {
        let mut begins = true;
        while let Some(word) = self.words.get(self.at) {
            if *word == Token::Sign(b';') {
                if self.open.is_empty() {
                    return self.at + 1 < self.words.len();
                }
                self.at += 1;
                begins = true;
            } else if begins {
                begins = match self.begin() {
                    Some(begins) => begins,
                    None => return true,
                };
            } else {
                begins = self.go_through();
            }
        }
        !self.open.is_empty()
    }

    /// Takes the first word of a statement, or more. Whether another may begin at once; `None` if
    /// something is closed that is not open.
    fn begin(&mut self) -> Option<bool> {
        let at = self.at;
        self.at += 1;
        // A block may have a name.
        let next = |ahead: usize| self.words.get(at + ahead);
        if next(1) == Some(&Token::Sign(b':')) && next(2) != Some(&Token::Sign(b'=')) {
            self.at += 1;
            return Some(true);
        }
        if self.is(at, "ELSE") {
            return Some(self.top() == Some(Block::Choice));
        }
        if self.is(at, "UNTIL") && self.top() == Some(Block::Loop) {
            self.open.pop();
            self.open.push(Block::Until);
            return Some(false);
        }
        if self.is(at, "END") {
            self.open.pop()?;
            // `END IF`: the word opens nothing.
            let named = ["IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR"];
            self.at += usize::from(named.iter().any(|named| self.is(at + 1, named)));
            return Some(false);
        }
        let blocks = [
            ("BEGIN", Block::Begin),
            ("IF", Block::Choice),
            ("CASE", Block::Choice),
            ("WHILE", Block::Counted),
            ("FOR", Block::Counted),
            ("LOOP", Block::Loop),
            ("REPEAT", Block::Loop),
        ];
        let found = blocks.iter().find(|(keyword, _)| self.is(at, keyword));
        if let Some((_, block)) = found {
            self.open.push(*block);
            if *block == Block::Begin && self.is(at + 1, "NOT") && self.is(at + 2, "ATOMIC") {
                self.at += 2;
            }
            return Some(matches!(block, Block::Begin | Block::Loop));
        }
        let is_handler = self.is(at, "DECLARE") && self.is(at + 2, "HANDLER");
        if is_handler && self.is(at + 3, "FOR") {
            self.at = self.past_conditions(at + 4);
            return Some(true);
        }
        Some(false)
    }

    /// Behind the conditions of a handler, where its statement begins.
    fn past_conditions(&self, mut at: usize) -> usize {
        loop {
            at += match () {
                () if self.is(at, "SQLSTATE") && self.is(at + 1, "VALUE") => 3,
                () if self.is(at, "SQLSTATE") || self.is(at, "NOT") => 2,
                () => 1,
            };
            if self.words.get(at) != Some(&Token::Sign(b',')) {
                return at;
            }
            at += 1;
        }
    }

    /// Takes a word within a statement; whether one begins behind it.
    fn go_through(&mut self) -> bool {
        let at = self.at;
        self.at += 1;
        let top = self.top();
        if self.is(at, "CASE") {
            self.open.push(Block::Expression);
        } else if self.is(at, "END") && matches!(top, Some(Block::Expression | Block::Until)) {
            self.open.pop();
        }
        let leads = |keywords: &[&str]| keywords.iter().any(|keyword| self.is(at, keyword));
        match top {
            Some(Block::Choice) => leads(&["THEN", "ELSE"]),
            Some(Block::Counted) => leads(&["DO"]),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sql: &str) -> bool {
        let object = match sql.split_whitespace().nth(1) {
            Some("TRIGGER") => Object::Trigger,
            Some("EVENT") => Object::Event,
            _ => Object::Routine,
        };
        goes_on(sql.as_bytes(), object, &Modes::default())
    }

    #[test]
    fn what_servers_take_as_one_statement() {
        for sql in [
            "CREATE PROCEDURE p() SELECT 1",
            "CREATE PROCEDURE p() SELECT 1;",
            "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SELECT 1; IF a THEN BEGIN END; END IF; END",
            "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW FOLLOWS begin BEGIN SET @a = 1; END",
            "CREATE PROCEDURE p() BEGIN SELECT CASE a WHEN 1 THEN 2 END; CASE b WHEN 1 THEN SELECT 2; END CASE; END",
            "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW IF a THEN BEGIN SET @b = 1; END; END IF",
            "CREATE PROCEDURE p() IF (a, b, c) = (1, 2, 3) THEN SELECT 1; ELSEIF b THEN SELECT 2; ELSE IF c THEN SELECT 3; END IF; END IF",
            "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; END; COMMIT; END",
            "CREATE PROCEDURE p() BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND, SQLSTATE VALUE '23000', 1051 SET @a = 1; SELECT 1; END",
            "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLSTATE '42S02' IF a THEN SELECT 1; END IF; END",
            "CREATE PROCEDURE p() BEGIN BEGIN SELECT 1; END; END",
            "CREATE PROCEDURE p() outer_one: BEGIN one: LOOP LEAVE one; END LOOP one; two: REPEAT SET @a = REPEAT('x', 2); UNTIL 1 END REPEAT; END outer_one",
            "CREATE PROCEDURE p() BEGIN WHILE a < 3 DO DO SLEEP(0); SET a = a + 1; END WHILE; FOR i IN 1..3 DO SELECT i; END FOR; END",
            "CREATE PROCEDURE p() BEGIN SELECT start, end FROM t; SELECT IF(a, 1, 2) AS begin; END",
            "CREATE PROCEDURE p() BEGIN SET @a = CASE WHEN b THEN IF(c, 1, 2) ELSE REPEAT('x', 3) END; SELECT 1; END",
            "CREATE FUNCTION f(a DECIMAL(3,1)) RETURNS VARCHAR(3) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NO SQL DETERMINISTIC COMMENT ';' BEGIN RETURN 1; END",
            "CREATE FUNCTION f() RETURNS enum('a','b') CHARSET latin1 IF 1 THEN RETURN 'a'; END IF",
            "CREATE EVENT e ON SCHEDULE EVERY IF(1, 2, 3) DAY STARTS (NOW()) COMMENT 'DO' DO BEGIN SELECT 1; END",
            "CREATE PROCEDURE p() BEGIN NOT ATOMIC SELECT 1; END",
            "CREATE PROCEDURE p() BEGIN DECLARE c CURSOR FOR SELECT 1; DECLARE d CONDITION FOR 1051; OPEN c; CLOSE c; SELECT 1 FOR UPDATE; END",
        ] {
            assert!(!of(sql), "{sql}");
        }
    }

    #[test]
    fn what_is_followed_by_another_one() {
        for sql in [
            "CREATE PROCEDURE p() SELECT 1; DROP DATABASE x",
            "CREATE PROCEDURE p() BEGIN SELECT 1; END; DROP DATABASE x",
            "CREATE PROCEDURE p() BEGIN SELECT 1; END; DROP DATABASE x; BEGIN NOT ATOMIC END",
            "CREATE PROCEDURE p() BEGIN SELECT 1 AS begin; END; DROP DATABASE x; SELECT 2 AS end",
            "CREATE PROCEDURE p() IF 1 THEN SELECT 1; END IF; DROP DATABASE x; IF 1 THEN SELECT 1; END IF",
            "CREATE PROCEDURE begin() SELECT 1; DROP DATABASE x; SELECT 1 AS end",
            "CREATE PROCEDURE p() SELECT begin FROM t; DROP DATABASE x; SELECT 1 AS end",
            "CREATE PROCEDURE p() SELECT 1 AS `IF`; DROP DATABASE x; SELECT 1 AS e FROM t END IF",
            "CREATE PROCEDURE p() BEGIN DO IF(1, 1, 1); END; DROP DATABASE x; SELECT 1 AS end",
            "CREATE PROCEDURE p() BEGIN SELECT CASE WHEN 1 THEN IF(1, 2, 3) END; END; DROP DATABASE x; SELECT 1; END",
            "CREATE PROCEDURE p() BEGIN DECLARE begin CONDITION FOR 1051; DECLARE EXIT HANDLER FOR begin SELECT 1; END; DROP DATABASE x; SELECT 2 AS end; END",
            "CREATE PROCEDURE p() SET @a = 1; DROP DATABASE x; BEGIN SELECT 1; END",
            "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a = 1; DROP DATABASE x",
            "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW FOLLOWS begin SET @a = 1; DROP DATABASE x; SELECT 1 AS end",
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1; DROP DATABASE x",
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN SELECT 1; END; DROP DATABASE x",
            "CREATE PROCEDURE p() BEGIN SELECT 1; END; END",
        ] {
            assert!(of(sql), "{sql}");
        }
    }
}
