<?php
// A page that does nothing: what the figures compare with.
header('Content-Type: application/json');
echo '{"res":"ok"}';
