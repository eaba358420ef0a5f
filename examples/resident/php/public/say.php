<?php
declare(strict_types=1);

// A message to one user, or to everyone else in the room.

namespace Resident;

require __DIR__ . '/../src/app.php';

post_only();
$user = user();
$message = ['type' => 'message', 'data' => ['from' => $user, 'text' => field('text', 2000)]];
$to = trim((string) ($_POST['to'] ?? ''));
answer(200, ask($to === ''
    ? ['do' => 'toGroup', 'group' => 'everyone', 'except' => [$user]] + $message
    : ['do' => 'toUser', 'user' => $to] + $message));
