<?php
declare(strict_types=1);

// Logs out, and closes the user's browsers.

namespace Resident;

require __DIR__ . '/../src/app.php';

post_only();
$user = user();
session_start();
session_destroy();
ask(['do' => 'kick', 'user' => $user]);
header('Location: /', true, 303);
