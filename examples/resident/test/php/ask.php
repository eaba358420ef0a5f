<?php
// A plain script that asks or, with a third argument, tells without waiting for the reply.
declare(strict_types=1);

require __DIR__ . '/../../php/src/ExchangeFailure.php';
require __DIR__ . '/../../php/src/Exchange.php';

$exchange = new Resident\Exchange(explode(',', $argv[1]), connectLimit: 0.8, readLimit: 1.0);
$message = json_decode($argv[2], true);
$started = hrtime(true);
try {
    $result = isset($argv[3]) ? $exchange->tell($message) : $exchange->ask($message);
} catch (Resident\ExchangeFailure $failure) {
    $result = ['reason' => $failure->reason, 'message' => $failure->getMessage()];
}
echo json_encode(['result' => $result, 'ms' => (hrtime(true) - $started) / 1e6]);
