<?php
declare(strict_types=1);

// A page that makes one exchange with the resident process and nothing else.

namespace Resident;

require __DIR__ . '/../src/app.php';

answer(200, ask(['do' => 'ping']));
