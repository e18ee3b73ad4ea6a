<?php $config['dbname']='p'; /* c */ # c
$config['dbuser'] = 'u\'v';$config["dbpass"]="\x41\u{1f600}\101";$config["dbhost"]="/run/s.sock";