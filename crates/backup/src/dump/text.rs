//! The words around the data: what a SQL text begins and ends with.

use super::facts::ServerFacts;

/// The modes under which the text is read. Zero as a value of an `AUTO_INCREMENT` column stays
/// zero, dates like `2026-02-31` that a table was allowed to hold stay, and nothing that an old
/// table holds is refused by a strict mode.
const SQL_MODE: &str = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES";

/// Whoever looks for truncated dumps looks for this.
pub(super) const COMPLETED: &str = "-- Dump completed";

/// The beginning of a database's text. Versioned comments, so that it loads into any version.
pub(super) fn header(database: &str, server: &ServerFacts, tool: &str) -> String {
    format!(
        "-- Elpis dump {tool}\n\
         --\n\
         -- Database: {}\n\
         -- Server version: {}\n\
         \n\
         /*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n\
         /*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;\n\
         /*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;\n\
         /*!40101 SET NAMES utf8mb4 */;\n\
         /*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;\n\
         /*!40103 SET TIME_ZONE='+00:00' */;\n\
         /*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;\n\
         /*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;\n\
         /*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='{SQL_MODE}' */;\n\
         /*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;\n",
        comment(database),
        comment(&server.version_text),
    )
}

/// The end of a database's text.
pub(super) fn footer(finished: jiff::Timestamp) -> String {
    format!(
        "\n\
         /*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n\
         /*!40101 SET SQL_MODE=@OLD_SQL_MODE */;\n\
         /*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;\n\
         /*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;\n\
         /*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;\n\
         /*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;\n\
         /*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;\n\
         /*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;\n\
         \n\
         {COMPLETED} on {}\n",
        finished.strftime("%Y-%m-%d %H:%M:%S UTC")
    )
}

/// A name in a comment of one line.
pub(super) fn comment(name: &str) -> String {
    name.replace(|c: char| c.is_control(), "?")
}
