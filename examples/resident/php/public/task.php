<?php
declare(strict_types=1);

// Starts a background task, and lists the user's tasks.

namespace Resident;

require __DIR__ . '/../src/app.php';

$user = user();
if ($_SERVER['REQUEST_METHOD'] === 'GET') {
    answer(200, ask(['do' => 'tasks', 'user' => $user, 'limit' => 20]));
}
$upTo = filter_var(field('upTo'), FILTER_VALIDATE_INT, ['options' => ['min_range' => 10, 'max_range' => 200_000_000]]);
if ($upTo === false) {
    answer(400, ['error' => 'a number from 10 to 200,000,000, please']);
}
answer(202, ask(['do' => 'task', 'name' => 'primes', 'data' => ['upTo' => $upTo], 'user' => $user]));
