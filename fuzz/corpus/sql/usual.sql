-- MariaDB dump
/*!40101 SET NAMES utf8mb4 */;
/*M!999999\- enable the sandbox mode */
DROP TABLE IF EXISTS `t`;
CREATE TABLE `t` (`a` int(11) DEFAULT NULL COMMENT 'it''s; \'x\'', KEY `k` (`a`)) ENGINE=InnoDB;
INSERT INTO `t` VALUES (1,'a\\',NULL),(2,0x41,'\n');
DELIMITER ;;
/*!50003 CREATE*/ /*!50003 TRIGGER `tr` BEFORE INSERT ON `t` FOR EACH ROW BEGIN SET NEW.a = 1; END */;;
DELIMITER ;
-- Dump completed on 2026-11-21
