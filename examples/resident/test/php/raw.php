<?php
// Sends the bytes given in hex as they are, prints the reply and after how many milliseconds it was there.
declare(strict_types=1);

require __DIR__ . '/../../php/src/ExchangeFailure.php';
require __DIR__ . '/../../php/src/Exchange.php';

$exchange = new Resident\Exchange([$argv[1]]);
$started = hrtime(true);
$reply = $exchange->raw(hex2bin($argv[2]));
echo json_encode(['reply' => $reply, 'ms' => (hrtime(true) - $started) / 1e6]);
