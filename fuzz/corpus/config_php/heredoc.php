<?php $config["dbpass"]=<<<EOT
x
EOT;
